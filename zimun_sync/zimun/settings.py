"""What the client has to be told: the address, the credentials, and all that is only assumed.

The Zimun API documents little and may move again. Whatever is assumed of it is a setting here,
with the assumption as the default, so that a change of the API is a change of configuration.
"""

from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)

from zimun_sync import __version__
from zimun_sync.network.addresses import is_loopback

DEFAULT_BASE_URL: Final = "https://api.zimun.online/api/v1"

#: Streams that the API lists page by page, or as one object.
ListedName = Literal["organization", "locations", "services", "staff", "resources", "appointments"]
#: With those that are asked for service by service.
StreamName = Literal[ListedName, "holidays", "availability"]


def _web_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "must be an absolute URL such as https://api.zimun.online/api/v1"
        raise ValueError(msg)
    if parts.username or parts.password:
        msg = "must hold no user name or password; use client_id and client_secret"
        raise ValueError(msg)
    if parts.query or parts.fragment:
        msg = "must hold no query and no fragment; leave out everything from '?' or '#'"
        raise ValueError(msg)
    return value.rstrip("/")


def _path(value: str) -> str:
    if not value.startswith("/") or any(mark in value for mark in "?#\\") or ".." in value:
        msg = "must be a plain path that starts with '/', such as /appointments"
        raise ValueError(msg)
    return value.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]
Path = Annotated[str, AfterValidator(_path)]
#: RFC 6749 §3.3: printable ASCII without spaces, quotes and backslashes.
Scope = Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")]


class _Section(BaseModel):
    """A group of settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Paths(_Section):
    """Where each stream is listed, below the base URL."""

    organization: Path = Field(
        default="/organization", description="The organization, a single object."
    )
    locations: Path = Field(default="/locations", description="List of locations.")
    services: Path = Field(default="/services", description="List of services.")
    staff: Path = Field(default="/staff", description="List of staff members.")
    resources: Path = Field(default="/resources", description="List of resources.")
    appointments: Path = Field(
        default="/appointments", description="List of appointments; one of them is below it, by id."
    )
    availability: Path = Field(
        default="/availability", description="Free slots of a service, and the holidays."
    )

    def of(self, stream: str) -> str:
        """The path of a stream's listing; a stream nobody knows is a ValueError."""
        if stream == "holidays":
            return self.availability
        if stream not in type(self).model_fields:
            known = ", ".join(type(self).model_fields)
            msg = f"There is no stream {stream!r}; the streams are {known}."
            raise ValueError(msg)
        path: str = getattr(self, stream)
        return path


class ClientSettings(_Section):
    """One organization's access to the Zimun API."""

    base_url: WebAddress = Field(
        default=DEFAULT_BASE_URL, description="Address below which all calls lie."
    )
    token_url: WebAddress | None = Field(
        default=None, description="Token endpoint; by default /oauth/token at the base URL's host."
    )
    allow_plain_http: bool = Field(
        default=False,
        description="Permit http:// to a host other than this machine: the client secret and "
        "personal data then travel unencrypted.",
    )
    client_id: str = Field(min_length=1, description="Client id, from Settings, API Clients.")
    client_secret: SecretStr = Field(
        min_length=1, description="Client secret that belongs to the client id."
    )
    scopes: tuple[Scope, ...] = Field(
        default=(),
        description="Scopes to ask for; by default none, and the API grants what it has.",
    )
    paths: Paths = Field(default=Paths(), description="Path of each stream's listing.")
    by_id: tuple[ListedName, ...] = Field(
        default=("appointments",),
        description="Streams whose single records can be asked for at {listing path}/{id}.",
    )
    page_size: PositiveInt = Field(default=200, description="Records asked for per page.")
    page_size_parameter: str = Field(
        default="page_size", min_length=1, description="Query parameter that takes the page size."
    )
    page_token_parameter: str = Field(
        default="page_token", min_length=1, description="Query parameter that takes the page token."
    )
    updated_since_parameter: str | None = Field(
        default=None,
        min_length=1,
        description="Query parameter that limits a listing to records changed since an ISO time; "
        "by default none, and each listing is full.",
    )
    change_style: Literal["patch", "post"] = Field(
        default="patch",
        description="How appointments are rescheduled and cancelled: PATCH /appointments/{id}, or "
        "POST /appointments/reschedule and POST /appointments/cancel as a later revision has it.",
    )
    identifier_field: Literal["appointment_id", "booking_id"] = Field(
        default="appointment_id", description="Name of the identifier in bodies of the post style."
    )
    release_style: Literal["delete", "post"] = Field(
        default="delete",
        description="How a hold is released: DELETE /appointments/hold/{id}, or "
        "POST /appointments/hold/{id}/release.",
    )
    connect_timeout: PositiveFloat = Field(
        default=10.0, description="Longest wait for a connection, seconds."
    )
    read_timeout: PositiveFloat = Field(
        default=20.0, description="Longest silence within an answer, seconds."
    )
    request_deadline: PositiveFloat = Field(
        default=60.0,
        description="Longest time one request may take from first to last byte, seconds.",
    )
    max_response_bytes: PositiveInt = Field(
        default=32 * 1024 * 1024, description="Largest answer taken, bytes after decompression."
    )
    max_attempts: PositiveInt = Field(
        default=8, description="Tries of one call before it fails, the first included."
    )
    max_malformed: PositiveInt = Field(
        default=4, description="Tries of one call whose answers are truncated or not as promised."
    )
    max_elapsed: PositiveFloat = Field(
        default=45.0,
        description="Longest time one call may be tried, seconds; waits that the server ordered "
        "do not count.",
    )
    max_retry_after: NonNegativeFloat = Field(
        default=120.0,
        description="Longest Retry-After waited for within a call, seconds; a longer one ends the "
        "call, and nothing is sent until it has passed.",
    )
    user_agent: str = Field(
        default=f"zimun-sync/{__version__}",
        pattern=r"^[ -~]+$",
        description="User-Agent header of each request.",
    )

    @model_validator(mode="after")
    def _secrets_travel_encrypted(self) -> Self:
        for name, url in (("base_url", self.base_url), ("token_url", self.token_address)):
            encrypted = urlsplit(url).scheme == "https"
            if not (encrypted or self.allow_plain_http or is_loopback(url)):
                msg = (
                    f"{name} is plain http to another machine, which shows the client secret to "
                    "everyone on the way: use https, or set allow_plain_http: true"
                )
                raise ValueError(msg)
        return self

    @property
    def token_address(self) -> str:
        """The token endpoint in use."""
        if self.token_url:
            return self.token_url
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}/oauth/token"
