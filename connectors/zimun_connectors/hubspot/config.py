"""The `hubspot` section of a configuration."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, SecretStr, model_validator

from zimun_sync.remotes.contract import Kind
from zimun_sync.remotes.settings import RemoteSettings, Section

#: HubSpot's name of the type of each kind.
CONTACTS: Final = "contacts"

PropertyName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]


class LimitSettings(Section):
    """How fast HubSpot may be called. What its answers say goes before these numbers."""

    calls_per_10_seconds: PositiveInt = Field(
        default=100,
        description="Calls in ten seconds that the app may make: 100 with Free and Starter, 190 "
        "with Professional and Enterprise, 250 with the API limit increase.",
    )
    searches_per_second: PositiveInt = Field(
        default=4, description="Searches a second; HubSpot allows an account five."
    )
    daily_reserve: NonNegativeInt = Field(
        default=5000,
        description="Calls of the account's day that are left to its other apps: below this "
        "remainder the sink waits for the next day. HubSpot tells the remainder to private apps "
        "only.",
    )


class HubspotSettings(RemoteSettings):
    """Settings of one `hubspot` sink."""

    type: Literal["hubspot"] = Field(default="hubspot", description="The connector.")
    token: SecretStr | None = Field(
        default=None, description="Access token of a private app, or a service key."
    )
    client_id: str | None = Field(default=None, description="OAuth: the app's client id.")
    client_secret: SecretStr | None = Field(
        default=None, description="OAuth: the app's client secret."
    )
    refresh_token: SecretStr | None = Field(
        default=None, description="OAuth: the refresh token of the portal's installation."
    )
    base_url: str = Field(
        default="https://api.hubapi.com",
        pattern=r"^https?://[^/?#]+$",
        description="Address of the API: scheme and host.",
    )
    api_version: str = Field(
        default="2026-09",
        pattern=r"^\d{4}-\d{2}(-beta)?$",
        description="HubSpot's API version that is spoken, a year and a month.",
    )
    object: Literal["meetings", "appointments"] = Field(
        default="meetings",
        description="What a booking becomes: a meeting on the contact's timeline, or a record of "
        "the appointments object, which has to be activated in the portal.",
    )
    key_property: PropertyName = Field(
        default="zimun_key",
        description="Internal name of the property that keeps our key, in contacts and in "
        "meetings or appointments. It is created where it is missing and must hold unique values.",
    )
    source_property: PropertyName | None = Field(
        default="zimun_source",
        description="Internal name of the property that marks what this sink created, for "
        "workflows to leave out; null: no mark.",
    )
    source_value: str = Field(default="zimun-sync", min_length=1, description="What the mark says.")
    limits: LimitSettings = Field(
        default=LimitSettings(), description="How fast HubSpot may be called."
    )

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        oauth = (self.client_id, self.client_secret, self.refresh_token)
        given = [value for value in oauth if value is not None]
        if (self.token is None) == (not given):
            msg = "give either `token`, or `client_id`, `client_secret` and `refresh_token`"
            raise ValueError(msg)
        if 0 < len(given) < len(oauth):
            msg = "OAuth takes all of `client_id`, `client_secret` and `refresh_token`"
            raise ValueError(msg)
        return self

    def object_type(self, kind: Kind) -> str:
        """HubSpot's name of the type of objects of a kind, as in its addresses."""
        return CONTACTS if kind is Kind.CONTACT else self.object
