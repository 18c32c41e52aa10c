"""The `caldav` section of a configuration, and what an event is filled with by default."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PositiveInt, SecretStr, model_validator

from zimun_connectors.caldav.properties import FIELDS, is_field
from zimun_sync.network.addresses import is_loopback
from zimun_sync.remotes.settings import RemoteSettings

#: What fills an event, in the words of the configuration.
EVENT: Final[Mapping[str, Any]] = {
    "summary": {
        "template": "{{ service.name or resource.name or 'Appointment' }}"
        "{% if contact_name %}: {{ contact_name }}{% endif %}"
    },
    "description": {
        "template": "{% if contact_phone %}{{ contact_phone }}\n{% endif %}"
        "{% if contact_email %}{{ contact_email }}\n{% endif %}"
        "{% if notes %}\n{{ notes }}{% endif %}",
        "null": "clear",
    },
    "location": {"from": "location.name", "null": "clear"},
    "start": {"from": "starts_at", "write": "always"},
    "end": {"from": "ends_at", "write": "always", "null": "clear"},
    "timezone": {"from": "timezone", "write": "always"},
    "status": {
        "from": "status",
        "values": {"cancelled": "CANCELLED", "held": "TENTATIVE", "*": "CONFIRMED"},
        "write": "always",
    },
    "transparency": {
        "from": "status",
        "values": {"cancelled": "TRANSPARENT", "*": "OPAQUE"},
    },
    "categories": {"from": "status", "values": {"no_show": "No-show"}, "null": "clear"},
}


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("should be an absolute address such as https://dav.example.org/ana/work/")
    if parts.username or parts.password:
        raise ValueError("should hold no user name or password: use `username` and `password`")
    if parts.query or parts.fragment:
        raise ValueError("should hold no query and no fragment: leave out everything from ? or #")
    return value.rstrip("/") + "/"


class CaldavSettings(RemoteSettings):
    """Settings of one `caldav` sink: one calendar."""

    type: Literal["caldav"] = Field(default="caldav", description="The connector.")
    url: Annotated[str, AfterValidator(_address)] = Field(
        description="Address of the calendar itself, not of its server, such as "
        "`https://dav.example.org/ana/work/`."
    )
    username: str | None = Field(default=None, description="User who may write to the calendar.")
    password: SecretStr | None = Field(
        default=None, description="The user's password, better one made for this program."
    )
    token: SecretStr | None = Field(
        default=None, description="Bearer token, instead of `username` and `password`."
    )
    allow_plain_http: bool = Field(
        default=False,
        description="Permit http:// to a host other than this machine: the password and personal "
        "data then travel unencrypted.",
    )
    invitations: Literal["none", "server"] = Field(
        default="none",
        description="Whether the server may write to a customer who is mapped to `attendee`.",
    )
    calls_per_second: PositiveInt = Field(
        default=20, description="Requests a second that the server is sent at most."
    )

    @property
    def schedule_agent(self) -> str | None:
        """SCHEDULE-AGENT of a customer who is mapped to `attendee`; None: the server's own."""
        return "NONE" if self.invitations == "none" else None

    @property
    def known_by(self) -> tuple[str, ...]:
        """A calendar has no contacts to look up."""
        return ()

    @model_validator(mode="after")
    def _travels_encrypted(self) -> Self:
        encrypted = urlsplit(self.url).scheme == "https"
        if not (encrypted or self.allow_plain_http or is_loopback(self.url)):
            raise ValueError(
                "url is plain http to another machine, which shows the password to everyone on "
                "the way: use https, or set allow_plain_http: true"
            )
        return self

    @model_validator(mode="after")
    def _signs_in(self) -> Self:
        basic = (self.username is not None, self.password is not None)
        if self.token is not None and any(basic):
            raise ValueError("give either `token`, or `username` and `password`")
        if any(basic) and not all(basic):
            raise ValueError("give both `username` and `password`")
        if self.token is None and not any(basic):
            raise ValueError("give `username` and `password`, or `token`")
        return self

    @model_validator(mode="after")
    def _maps_events(self) -> Self:
        unknown = [name for name in self.appointment.fields if not is_field(name)]
        if unknown:
            known = ", ".join(sorted(FIELDS))
            raise ValueError(
                f"an event has no field {unknown[0]!r}; there are {known}, and own ones in lower "
                "case that begin with `x-`"
            )
        if self.contact.fields:
            raise ValueError("a calendar has no contacts: map the customer to fields of the event")
        if self.appointment.fields.get("attendee") and not self.appointment.fields.get("organizer"):
            raise ValueError("who maps `attendee` has to map `organizer` too")
        return self
