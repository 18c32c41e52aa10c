"""Settings of the daemon: its server, its schedule, and what it looks after."""

import re
from datetime import datetime
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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

from zimun_sync.cron import WallClock
from zimun_sync.network.addresses import kind_of, literal
from zimun_sync.templates import check_template

Port = Annotated[int, Field(ge=0, le=65535)]
HookEvent = Literal["started", "succeeded", "partial", "failed", "trouble", "recovered"]


def _cron(value: str) -> str:
    WallClock(value).next_after(datetime(2026, 1, 1))  # noqa: DTZ001 - wall-clock time
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = "should be an IANA time zone, such as Europe/Berlin"
        raise ValueError(msg) from None
    return value


Cron = Annotated[str, AfterValidator(_cron)]


def _hook_address(value: SecretStr) -> SecretStr:
    """An address as it is, query and all; it may be a secret, so no error shows it."""
    parts = urlsplit(check_template(value.get_secret_value()))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("should be an address that begins with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("should hold no user name or password; use `headers`")
    return value


def _header_names(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name in value:
        if not re.fullmatch(r"[!#$%&'*+.^`|~0-9A-Za-z-]+", name):
            raise ValueError(f"{name!r} is no header; a secret can be given as ${{VARIABLE}}")
    return value


class _Section(BaseModel):
    """A group of settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ServerSettings(_Section):
    """Where the daemon listens."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="Address to listen on for webhooks."
    )
    port: Port = Field(default=8090, description="Port for webhooks; 0 takes any free one.")
    admin_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address of the second port, where `admin_port` is set.",
    )
    admin_port: Port | None = Field(
        default=None,
        description="A second port for /metrics and /status, so that only /webhooks need be "
        "public; by default they share the first.",
    )
    max_body_bytes: PositiveInt = Field(
        default=1024 * 1024, description="Largest webhook body taken, bytes."
    )
    drain_seconds: PositiveFloat = Field(
        default=20.0,
        description="Longest time that work under way may take to end after SIGTERM, seconds.",
    )


class ScheduleSettings(_Section):
    """When the daemon pulls."""

    nightly: Cron = Field(
        default="30 2 * * *",
        description="When every source is pulled: five cron fields, on the wall clock of "
        "`timezone`; one run a date, whatever daylight saving does.",
    )
    reconcile: Cron | None = Field(
        default="0 4 * * sun",
        description="When everything is listed in full, whatever is incremental or unfinished, "
        "so that deletions are found; null for never.",
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="IANA time zone of the schedule: the business's own."
    )
    jitter: NonNegativeFloat = Field(
        default=60.0,
        description="A run starts up to so many seconds late, by chance, to spread the load.",
    )


class DeletionSettings(_Section):
    """How records that the source no longer lists are confirmed and deleted."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.05,
        description="Share of a stream's records that may be newly missing from a listing; above "
        "it nothing is deleted until `approve`.",
    )
    least: PositiveInt = Field(
        default=10, description="So many missing records never need approval, whatever the share."
    )
    checks: PositiveInt = Field(
        default=500,
        description="Missing records asked for by id in one run; the others wait for the next.",
    )


class RetentionSettings(_Section):
    """How long the state keeps what is over; null keeps it for ever."""

    inbox_days: PositiveInt = Field(
        default=14,
        description="Ids of webhook events, by which a repeated one is known; longer than the "
        "source retries.",
    )
    runs_days: PositiveInt | None = Field(default=180, description="Finished runs.")
    history_days: PositiveInt | None = Field(
        default=1095, description="Superseded versions of records."
    )
    quarantine_days: PositiveInt | None = Field(
        default=180, description="Quarantine entries that are closed."
    )


class AlertSettings(_Section):
    """What counts as trouble in `status`, in metrics and for hooks."""

    stale_after_hours: PositiveFloat = Field(
        default=26.0, description="Hours since a source's last good run."
    )
    sink_behind_minutes: PositiveFloat = Field(
        default=15.0, description="Age of the oldest change that a sink has not taken, minutes."
    )
    disk_free_mb: PositiveInt = Field(
        default=1024, description="Free space where the state lies, megabytes."
    )
    clock_skew_seconds: PositiveFloat = Field(
        default=30.0, description="Difference between this machine's clock and the source's."
    )


class HookSettings(_Section):
    """An HTTP request after a run, or when something starts or stops being wrong."""

    on: tuple[HookEvent, ...] = Field(
        min_length=1,
        description="What calls it: a run that started, succeeded, ended partial or failed; "
        "trouble and recovered: the state changed.",
    )
    url: Annotated[SecretStr, AfterValidator(_hook_address)] = Field(
        description="Address to call; `{...}` is filled in as in `body`."
    )
    method: Literal["POST", "PUT", "GET"] = Field(default="POST", description="HTTP method.")
    headers: Annotated[dict[str, SecretStr], AfterValidator(_header_names)] = Field(
        default={}, description="Headers; never shown."
    )
    body: Annotated[str, AfterValidator(check_template)] | None = Field(
        default=None,
        description="Body with fields such as `{source}`, `{status}` and `{reason}`; by default "
        "a JSON object of all of them.",
    )
    sinks: tuple[str, ...] = Field(
        default=(),
        description="Wait until these sinks have taken the run's last change.",
    )
    sources: tuple[str, ...] = Field(default=(), description="Only for these; by default all.")
    timeout: PositiveFloat = Field(default=10.0, description="Longest time a call takes, seconds.")
    allow_private: bool = Field(
        default=False,
        description="Permit an address on this machine or in a private network, such as a BI "
        "tool of your own; else only public addresses are called.",
    )

    @model_validator(mode="after")
    def _stays_outside(self) -> Self:
        address = literal(urlsplit(self.url.get_secret_value()).hostname or "")
        kind, curable = ("", True) if address is None else kind_of(address)
        if kind and not (curable and self.allow_private):
            cure = "set allow_private: true if that is meant" if curable else "it is never called"
            raise ValueError(f"url leads to {kind}: {cure}")
        return self


class WebhookSettings(_Section):
    """How a source's webhooks are signed."""

    scheme: Literal["standard", "hmac"] = Field(
        default="standard",
        description="`standard`: the Standard Webhooks convention; `hmac`: one header with the "
        "HMAC-SHA256 of the body.",
    )
    header: str = Field(
        default="x-signature",
        pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        description="Header of the signature, for `hmac`.",
    )
    prefix: str = Field(
        default="", description="What stands before the signature, such as `sha256=`, for `hmac`."
    )
    encoding: Literal["hex", "base64"] = Field(
        default="hex", description="How the signature is written, for `hmac`."
    )
    tolerance: PositiveFloat = Field(
        default=300.0,
        description="Largest difference between an event's timestamp and our clock, seconds.",
    )
    events: tuple[str, ...] = Field(
        default=("appointment.created", "appointment.updated", "appointment.cancelled"),
        min_length=1,
        description="Events that `webhooks register` subscribes to.",
    )
