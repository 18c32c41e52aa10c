"""What a configuration file may say, section by section, and the settings it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from zimun_sync.config import columns, promotions
from zimun_sync.config.privacy import PrivacySettings, SinkPrivacySettings
from zimun_sync.config.serving import (
    AlertSettings,
    DeletionSettings,
    HookSettings,
    RetentionSettings,
    ScheduleSettings,
    ServerSettings,
    WebhookSettings,
)
from zimun_sync.model import STREAMS, Stream
from zimun_sync.normalize import Rules
from zimun_sync.privacy import OPEN, Guard
from zimun_sync.sinks import Connector
from zimun_sync.zimun import usable_secret
from zimun_sync.zimun.settings import ClientSettings, ListedName, StreamName

DEFAULT_STATE: Final = "sqlite:///var/state.db"

#: Names of sources and sinks go into file names, keys and SQL values.
NAME_PATTERN: Final = r"^[a-z][a-z0-9_-]{0,62}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Status = Literal["held", "scheduled", "confirmed", "completed", "no_show", "cancelled", "other"]


def _state(value: str) -> str:
    if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        msg = "should be sqlite:///path/to/state.db or postgresql://user@host/database"
        raise ValueError(msg)
    return value


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in value if value.count(name) > 1})
    if twice:
        msg = f"names {', '.join(twice)} more than once; leave one"
        raise ValueError(msg)
    return value


def _with_services(value: tuple[str, ...]) -> tuple[str, ...]:
    asked = [name for name in ("availability", "holidays") if name in value]
    if asked and "services" not in value:
        msg = f"has {asked[0]}, which is asked for service by service; add services"
        raise ValueError(msg)
    return value


def _region(value: str | None) -> str | None:
    import phonenumbers

    if value is None or value.upper() in phonenumbers.SUPPORTED_REGIONS:
        return value and value.upper()
    msg = "should be a two-letter country code (ISO 3166-1), such as DE"
    raise ValueError(msg)


def _lines(value: Any) -> Any:
    """What a file of secrets holds, one a line."""
    return value.split() if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


FieldNames = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(_as_list),
    Field(min_length=1),
]
Fields = Annotated[
    dict[str, dict[str, FieldNames]],
    AfterValidator(columns.check),
    WithJsonSchema(columns.json_schema()),
]


Promote = Annotated[
    promotions.Promote,
    PlainValidator(promotions.check),
    PlainSerializer(promotions.spelt),
    WithJsonSchema(promotions.json_schema()),
]


class _Section(BaseModel):
    """A group of settings: frozen, and an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SourceSettings(ClientSettings):
    """One organization's Zimun account: how to reach it, what to pull, how to read it."""

    streams: Annotated[
        tuple[StreamName, ...], AfterValidator(_distinct), AfterValidator(_with_services)
    ] = Field(
        default=get_args(ListedName),
        min_length=1,
        description="Streams to pull. `availability` and `holidays` are not among the default: "
        "they take a request for each service, and change with every day and booking.",
        examples=[get_args(StreamName)],
    )
    paging: Literal["auto", "stable", "unstable"] = Field(
        default="auto",
        description="Whether records stay on their page while a listing is read: `stable`, one "
        "pass; `unstable`, passes until one finds nothing new, at most 5; `auto`, the same for a "
        "first listing and after a pass that shows that records moved, else once more only what "
        "is about new records. See the page on paging.",
    )
    availability_days: Annotated[int, Field(ge=1, le=366)] = Field(
        default=14,
        description="Days of availability and holidays to ask for, today included; the API may "
        "allow fewer.",
    )
    availability_by_staff: bool = Field(
        default=True,
        description="Ask for each staff member's slots, one request for each service they give; "
        "else one for each service and location, which tells what is free but not with whom.",
    )
    fields: Fields = Field(
        default={},
        description="The source's own field name, or a list of names of which the first that is "
        "present counts, by stream and column of ours.",
        examples=[{"appointments": {"contact_phone": ["mobile", "phone"]}}],
    )
    promote: Promote = Field(
        default={},
        description="Fields of the source that become columns of their own in every sink, by "
        "stream and column, with their type: text, integer, decimal, boolean, instant, date or "
        "json. `zimun-sync fields` shows the fields that there are.",
        examples=[{"appointments": {"party_size": "integer"}}],
    )
    statuses: dict[str, Status] = Field(
        default={},
        description="Canonical status by the source's status, where the names differ.",
        examples=[{"checked_in": "confirmed"}],
    )
    phone_region: Annotated[str | None, AfterValidator(_region)] = Field(
        default=None,
        description="Country (ISO 3166-1 alpha-2, such as DE) whose rules read a phone number "
        "without country code, where neither location nor organization names a country.",
    )

    webhook_secrets: Annotated[tuple[SecretStr, ...], BeforeValidator(_lines)] = Field(
        default=(),
        description="Secrets that webhooks of this source are signed with; several while they "
        "are rotated, in a file one a line. Without any, none are taken.",
    )
    webhook: WebhookSettings = Field(
        default=WebhookSettings(), description="How its webhooks are signed."
    )

    @model_validator(mode="after")
    def _webhook_secrets_are_usable(self) -> Self:
        for number, secret in enumerate(self.webhook_secrets, start=1):
            try:
                usable_secret(secret.get_secret_value(), self.webhook.scheme)
            except ValueError as error:
                msg = f"webhook secret {number} {error}"
                raise ValueError(msg) from None
        return self

    @model_validator(mode="after")
    def _promoted_fields_are_free(self) -> Self:
        promotions.refuse_used_fields(self.promote, self.fields)
        return self

    @property
    def rules(self) -> Rules:
        """What the normalizer has to know about this source."""
        return Rules(self.fields, self.statuses, self.phone_region, self.promote)


class SyncSettings(_Section):
    """How a sync behaves."""

    sink_patience: NonNegativeFloat = Field(
        default=60.0,
        description="Seconds without progress that `sync` waits for a sink once the pull is done.",
    )


class LogSettings(_Section):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important messages to write."
    )
    format: Literal["auto", "json", "logfmt", "console"] = Field(
        default="auto",
        description="`console` for people, `json` or `logfmt` for collectors; `auto`: console on "
        "a terminal, else logfmt.",
    )


class FileSettings(_Section):
    """The whole file, its sinks not yet validated by their connectors."""

    state: Annotated[str, AfterValidator(_state)] = Field(
        default=DEFAULT_STATE,
        description="Where the state is kept: a SQLite file, relative to the configuration's "
        "folder, or a PostgreSQL database (postgresql://user@host/database).",
    )
    sources: dict[Name, SourceSettings] = Field(
        min_length=1, description="Zimun accounts to pull from, by a name of your choice."
    )
    sinks: dict[Name, dict[str, Any]] = Field(
        default={}, description="Where records go, by a name of your choice."
    )
    sync: SyncSettings = Field(default=SyncSettings(), description="How a sync behaves.")
    deletions: DeletionSettings = Field(
        default=DeletionSettings(), description="When a missing record is deleted."
    )
    server: ServerSettings = Field(default=ServerSettings(), description="Where `serve` listens.")
    schedule: ScheduleSettings = Field(
        default=ScheduleSettings(), description="When `serve` pulls."
    )
    hooks: dict[Name, HookSettings] = Field(
        default={}, description="HTTP calls after a run, by a name of your choice."
    )
    alerts: AlertSettings = Field(default=AlertSettings(), description="What counts as trouble.")
    retention: RetentionSettings = Field(
        default=RetentionSettings(), description="How long the state keeps what is over."
    )
    privacy: PrivacySettings = Field(
        default=PrivacySettings(), description="Keys for what sinks' own `privacy` hashes."
    )
    log: LogSettings = Field(
        default=LogSettings(), description="What is logged, to standard error."
    )


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """One configured sink.

    Args:
        name: its name in the configuration.
        connector: the code behind its `type`.
        settings: its section, validated by the connector's own model.
        privacy: what it is not shown, as its section says.
        guard: applies that.
    """

    name: str
    connector: Connector
    settings: BaseModel
    privacy: SinkPrivacySettings = field(default_factory=SinkPrivacySettings)
    guard: Guard = OPEN


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that has been read, completed and found valid.

    Args:
        file: absolute path of the file it was read from.
        folder: the file's folder; relative paths in the configuration start here.
        state: URL of the state store; a relative SQLite path is relative to `folder`.
        sources: by name, in the file's order.
        sinks: by name, in the file's order.
        sync: how a sync behaves.
        deletions: when a missing record is deleted.
        server: where the daemon listens.
        schedule: when the daemon pulls.
        hooks: HTTP calls after a run, by name.
        alerts: what counts as trouble.
        retention: how long the state keeps what is over.
        privacy: keys of hashes.
        log: what is logged.
        warnings: what a person should know although nothing is wrong, one sentence each.
        secret_files: files that `X_file` settings were read from.
        streams: every stream by name, with the columns that any source promotes.
    """

    file: Path
    folder: Path
    state: str
    sources: Mapping[str, SourceSettings]
    sinks: Mapping[str, SinkConfig]
    sync: SyncSettings
    deletions: DeletionSettings
    server: ServerSettings
    schedule: ScheduleSettings
    hooks: Mapping[str, HookSettings]
    alerts: AlertSettings
    retention: RetentionSettings
    privacy: PrivacySettings
    log: LogSettings
    warnings: tuple[str, ...] = ()
    secret_files: tuple[Path, ...] = ()
    streams: Mapping[str, Stream] = field(default_factory=lambda: STREAMS)

    @property
    def guards(self) -> dict[str, Guard]:
        """What hides from each sink what it is not shown, by the sink's name."""
        return {name: sink.guard for name, sink in self.sinks.items()}
