"""The `salesforce` section of a configuration."""

import re
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, NonNegativeInt, SecretStr, model_validator

from zimun_sync.remotes.settings import RemoteSettings

_API_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


def is_safe_address(url: str) -> bool:
    """Whether credentials may go there: https, or this very machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in _LOOPBACK)


def _address(url: str) -> str:
    parts = urlsplit(url)
    if not is_safe_address(url) or parts.path.strip("/") or parts.query:
        msg = "should be the address of My Domain alone, as https://acme.my.salesforce.com"
        raise ValueError(msg)
    return url.rstrip("/")


def _api_name(name: str) -> str:
    if not _API_NAME.fullmatch(name):
        msg = f"has {name!r}, which is no field's API name (letters, digits and _)"
        raise ValueError(msg)
    return name


ApiName = Annotated[str, AfterValidator(_api_name)]


class SalesforceSettings(RemoteSettings):
    """Settings of one `salesforce` sink."""

    type: Literal["salesforce"] = Field(default="salesforce", description="The connector.")
    login_url: Annotated[str, AfterValidator(_address)] = Field(
        description="Address of My Domain, such as `https://acme.my.salesforce.com`."
    )
    client_id: str = Field(description="Consumer key of the External Client App.")
    client_secret: SecretStr | None = Field(
        default=None, description="Its consumer secret, for the client credentials flow."
    )
    username: str | None = Field(
        default=None, description="User to act as, for the JWT bearer flow."
    )
    private_key: SecretStr | None = Field(
        default=None,
        description="PEM private key whose certificate the app has, for the JWT bearer flow; "
        "usually as `private_key_file`.",
    )
    audience: str | None = Field(
        default=None,
        description="Audience of the JWT; by default `https://login.salesforce.com`, for a "
        "sandbox `https://test.salesforce.com`.",
    )
    api_version: str = Field(
        default="67.0", pattern=r"^[1-9][0-9]\.0$", description="Version of the REST API."
    )
    contact_key_field: ApiName = Field(
        default="Zimun_Key__c",
        description="Contact's text field that keeps our key: unique, external id.",
    )
    appointment_key_field: ApiName = Field(
        default="Zimun_Key__c",
        description="Activity's text field that keeps our key: unique, external id.",
    )
    phone_fields: Annotated[tuple[ApiName, ...], Field(min_length=1)] = Field(
        default=("Phone", "MobilePhone"),
        description="Contact's fields that a customer's phone number is looked for in.",
    )
    records_per_call: Annotated[int, Field(ge=1, le=200)] = Field(
        default=200,
        description="Records a call; fewer where automations make 200 too slow for a call.",
    )
    bulk_above: Annotated[int, Field(ge=200, le=9_999)] | None = Field(
        default=2_000,
        description="Records above which a write goes through Bulk API 2.0; null for never.",
    )
    allow_duplicates: bool = Field(
        default=False,
        description="Whether a contact is saved although a duplicate rule raises an alert.",
    )
    daily_reserve: NonNegativeInt = Field(
        default=1_000,
        description="API calls of the organization's 24 hours that are left to others.",
    )

    @model_validator(mode="after")
    def _signs_in_one_way(self) -> Self:
        by_secret = self.client_secret is not None
        by_key = self.username is not None and self.private_key is not None
        halfway = self.username is not None or self.private_key is not None
        if by_secret == by_key or (halfway and not by_key):
            msg = "needs either `client_secret`, or both `username` and `private_key`"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _fields_have_api_names(self) -> Self:
        for name in (*self.contact.fields, *self.appointment.fields):
            _api_name(name)
        return self

    @property
    def jwt_audience(self) -> str:
        """Whom a JWT is meant for."""
        if self.audience is not None:
            return self.audience
        host = urlsplit(self.login_url).hostname or ""
        is_sandbox = ".sandbox." in host or host.startswith("test.")
        return f"https://{'test' if is_sandbox else 'login'}.salesforce.com"
