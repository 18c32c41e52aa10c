"""The `http` section of a configuration."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from zimun_connectors.http import checks
from zimun_connectors.http.recipes import RecipeName, with_recipe
from zimun_connectors.http.requests import LookupSettings, Text, Writes, WriteSettings
from zimun_connectors.http.sections import (
    Account,
    AppointmentSettings,
    AuthSettings,
    ContactSettings,
    HttpObjectSettings,
    HttpOwnerSettings,
    LimitSettings,
    SpellingSettings,
)
from zimun_sync.remotes.settings import RemoteSettings


class HttpSettings(RemoteSettings):
    """Settings of one `http` sink."""

    type: Literal["http"] = Field(default="http", description="The connector.")
    recipe: RecipeName | None = Field(
        default=None,
        description="Ready settings for a system; what stands here goes on top of them.",
    )
    base_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$",
        description="Address that all paths are below; required unless the recipe has it.",
    )
    allow_plain_http: bool = Field(
        default=False,
        description="Permit http:// to a host other than this machine: credentials and personal "
        "data then travel unencrypted.",
    )
    auth: AuthSettings = Field(default=AuthSettings(), description="How requests are authorized.")
    headers: dict[str, Text] = Field(default={}, description="Headers of every request.")
    constants: dict[str, Any] = Field(
        default={},
        description="Values that templates use as `constants.NAME`; no secrets.",
        examples=[{"location_id": "L8GMV2"}],
    )
    account: Account | None = Field(
        default=None, description="Whose system it is; required unless the recipe has it."
    )
    contact: ContactSettings = Field(
        default=ContactSettings(), description="What is written of the customer, and how."
    )
    appointment: AppointmentSettings = Field(
        default=AppointmentSettings(), description="What is written of the appointment, and how."
    )
    owners: HttpOwnerSettings = Field(
        default=HttpOwnerSettings(), description="Which user an appointment belongs to."
    )
    prepare: Writes = Field(
        default=(), description="Sent once before the first write, such as to create a field."
    )
    idempotency_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header that carries a create's token, so that it can be repeated safely.",
    )
    spelling: SpellingSettings = Field(
        default=SpellingSettings(), description="How values are spelled."
    )
    limits: LimitSettings = Field(
        default=LimitSettings(), description="How often requests may be sent."
    )

    @model_validator(mode="before")
    @classmethod
    def _on_top_of_the_recipe(cls, values: Any) -> Any:
        return with_recipe(values)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _check_address(self)
        _check_requests(self)
        _check_abilities(self)
        return self

    @property
    def address(self) -> str:
        """`base_url`, which is there once the settings are checked."""
        return self.base_url or ""

    @property
    def has_contacts(self) -> bool:
        """Whether the system has contacts of its own."""
        return bool(self.contact.create or self.contact.read or self.contact.update)

    @property
    def known_by(self) -> tuple[str, ...]:
        """Columns by which people are looked up."""
        return super().known_by if self.has_contacts else ()

    @property
    def ties_by_field(self) -> bool:
        """Whether an appointment names its contact itself."""
        return checks.uses(self.appointment.create, "contact_id")


def _check_address(settings: HttpSettings) -> None:
    if settings.base_url is None:
        raise ValueError("base_url is required: the address that all paths are below")
    addresses = [settings.base_url, settings.auth.token_url or ""]
    for address in addresses:
        if _is_exposed(address) and not settings.allow_plain_http:
            raise ValueError(
                f"{address} is not encrypted: use https://, or set allow_plain_http: true if "
                "the network between is yours"
            )


def _is_exposed(address: str) -> bool:
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname in (None, "localhost"):
        return False
    try:
        return not ip_address(str(parts.hostname)).is_loopback
    except ValueError:
        return True


def _check_requests(settings: HttpSettings) -> None:
    """Check the names that each request uses."""
    constants = checks.constants_of(settings.constants)
    for place, lookups in _lookups(settings, constants):
        checks.check_lookups(place, lookups, constants)
    for place, writes, known in _writes(settings):
        checks.check_writes(place, writes, checks.Names(known, constants))
    checks.check_structure("headers", settings.headers, checks.Names(checks.NOTHING, constants))
    for place, form in (("instant", settings.spelling.instant), ("date", settings.spelling.date)):
        checks.check_structure(f"spelling.{place}.write", form.write, checks.VALUE)
        checks.check_expression(f"spelling.{place}.read", form.read, checks.VALUE)
    checks.check_structure("spelling.decimal", settings.spelling.decimal, checks.VALUE)


def _lookups(
    settings: HttpSettings, constants: frozenset[str]
) -> Iterator[tuple[str, Sequence[LookupSettings]]]:
    for kind in ("contact", "appointment"):
        section: HttpObjectSettings = getattr(settings, kind)
        yield f"{kind}.read", section.read
        for by in ("key", "email", "phone"):
            steps = getattr(section.find, by)
            checks.check_batched_value(f"{kind}.find.{by}", steps)
            yield f"{kind}.find.{by}", steps
        for field, text in section.present.items():
            known = checks.Names(frozenset({"result", "constants"}), constants)
            checks.check_expression(f"{kind}.present.{field}", text, known)
    for by in ("email", "id"):
        steps = getattr(settings.owners.find, by)
        checks.check_batched_value(f"owners.find.{by}", steps)
        yield f"owners.find.{by}", steps
    if settings.account is None:
        raise ValueError("account is required: a name of your choice, or a request that tells it")
    yield "account", (settings.account,)


def _writes(
    settings: HttpSettings,
) -> Iterator[tuple[str, Sequence[WriteSettings], frozenset[str]]]:
    yield "prepare", settings.prepare, checks.NOTHING
    for operation in ("create", "update"):
        yield f"contact.{operation}", getattr(settings.contact, operation), checks.ITEM
    for operation in ("create", "update", "cancel", "archive"):
        yield f"appointment.{operation}", getattr(settings.appointment, operation), checks.ITEM
    for operation in ("link", "unlink"):
        yield f"appointment.{operation}", getattr(settings.appointment, operation), checks.PAIR


def _check_abilities(settings: HttpSettings) -> None:
    """Check that what is to be done can be done with the requests there are."""
    _check_object("appointment", settings.appointment)
    if settings.has_contacts:
        _check_object("contact", settings.contact)
    appointment = settings.appointment
    if bool(appointment.link) != bool(appointment.unlink):
        raise ValueError("appointment.link and appointment.unlink go together: add the other one")
    if settings.has_contacts and not appointment.link and not settings.ties_by_field:
        raise ValueError(
            "nothing ties appointments to their contacts: use `contact_id` in "
            "appointment.create, or add appointment.link and appointment.unlink"
        )


def _check_object(kind: str, section: HttpObjectSettings) -> None:
    needed = {
        "read": True,
        "create": section.write != "update_only",
        "update": section.write != "create_only",
    }
    for operation, wanted in needed.items():
        if wanted and not getattr(section, operation):
            raise ValueError(
                f"{kind}.{operation} is required with {kind}.write: {section.write}: add the "
                "request, or name a recipe"
            )
