"""Streams, columns, records and changes: the words every other module speaks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any


class ColumnType(StrEnum):
    """Logical types of canonical columns, and how a value of each is held in a stored row."""

    TEXT = "text"  #: str
    INTEGER = "integer"  #: int, 64 bit signed
    BOOLEAN = "boolean"  #: bool
    DECIMAL = "decimal"  #: str of an exact decimal with at most 14 + 4 digits
    INSTANT = "instant"  #: int, microseconds since 1970-01-01T00:00:00Z
    LOCAL_TIME = "local_time"  #: int, microseconds since 1970-01-01T00:00:00 on the wall clock
    DATE = "date"  #: int, days since 1970-01-01
    JSON = "json"  #: str, JSON text


#: Total and fractional digits of a decimal column.
DECIMAL_PRECISION, DECIMAL_SCALE = 18, 4


@dataclass(frozen=True, slots=True)
class Column:
    """One canonical column.

    Args:
        name: the column's name in every sink.
        type: its logical type.
        comment: its meaning, with unit and time zone; shown in sinks that keep comments.
        personal: whether it holds data about a person.
    """

    name: str
    type: ColumnType
    comment: str
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of record the source lists.

    Args:
        name: as in configuration, tables and files.
        key: the column that identifies a record within one source.
        content: the columns that the source fills, in their stable order.
        promoted: further fields of the source that the configuration makes columns.
    """

    name: str
    key: str
    content: tuple[Column, ...]
    promoted: tuple[Column, ...] = ()

    @property
    def filled(self) -> tuple[Column, ...]:
        """Content columns followed by the promoted ones: what a row that a sink gets holds."""
        return self.content + self.promoted

    @property
    def columns(self) -> tuple[Column, ...]:
        """Content columns, promoted ones, then the lineage columns."""
        return self.filled + LINEAGE


LINEAGE = (
    Column("_source", ColumnType.TEXT, "Name of the configured source; part of the key."),
    Column("_seq", ColumnType.INTEGER, "Sequence of the record's latest change in its source."),
    Column("_run_id", ColumnType.TEXT, "The run that brought this version."),
    Column(
        "_synced_at",
        ColumnType.INSTANT,
        "When the store took this version, UTC; without an `updated_at`, since when it was so.",
    ),
)

_T = ColumnType
_ORGANIZATION = Column("organization_id", _T.TEXT, "Organization the record belongs to.")
_LOCATION = Column("location_id", _T.TEXT, "Location, where the organization has several.")
_TAIL = (
    Column("created_at", _T.INSTANT, "When the source created the record, UTC."),
    Column("updated_at", _T.INSTANT, "When the source last changed the record, UTC."),
    Column("deleted_at", _T.INSTANT, "When the record was found gone from the source, UTC."),
    Column(
        "extra", _T.JSON, "JSON object of the source's fields that have no column.", personal=True
    ),
)

APPOINTMENTS = Stream(
    "appointments",
    "appointment_id",
    (
        Column("appointment_id", _T.TEXT, "The source's identifier of the appointment."),
        _ORGANIZATION,
        _LOCATION,
        Column("service_id", _T.TEXT, "Booked service; null for a resource booking."),
        Column("staff_id", _T.TEXT, "Staff member; null for a resource booking."),
        Column("resource_id", _T.TEXT, "Booked resource, such as a room."),
        Column(
            "status",
            _T.TEXT,
            "held, scheduled, confirmed, completed, no_show, cancelled, or other.",
        ),
        Column("source_status", _T.TEXT, "The status exactly as the source gives it."),
        Column("starts_at", _T.INSTANT, "Start, UTC."),
        Column("ends_at", _T.INSTANT, "End, UTC; null when the duration is unknown."),
        Column("local_start", _T.LOCAL_TIME, "Start on the wall clock of `timezone`."),
        Column("local_date", _T.DATE, "Calendar day of `local_start`."),
        Column(
            "timezone",
            _T.TEXT,
            "IANA zone of the location, else of the organization; null: the given offset.",
        ),
        Column("utc_offset_minutes", _T.INTEGER, "`local_start` minus UTC, minutes."),
        Column("duration_minutes", _T.INTEGER, "Length, minutes."),
        Column("contact_name", _T.TEXT, "Customer's name as given.", personal=True),
        Column("contact_email", _T.TEXT, "Customer's e-mail address as given.", personal=True),
        Column(
            "contact_phone",
            _T.TEXT,
            "Customer's phone, E.164 where it can be told, else as given.",
            personal=True,
        ),
        Column("notes", _T.TEXT, "Free text of the booking.", personal=True),
        Column("price_amount", _T.DECIMAL, "Price in units of `price_currency`, exact."),
        Column("price_currency", _T.TEXT, "ISO 4217 code."),
        *_TAIL,
    ),
)

SERVICES = Stream(
    "services",
    "service_id",
    (
        Column("service_id", _T.TEXT, "The source's identifier of the service."),
        _ORGANIZATION,
        Column("name", _T.TEXT, "Name shown to customers."),
        Column("description", _T.TEXT, "Longer text shown to customers."),
        Column("duration_minutes", _T.INTEGER, "Usual length, minutes."),
        Column("price_amount", _T.DECIMAL, "List price in units of `price_currency`, exact."),
        Column("price_currency", _T.TEXT, "ISO 4217 code."),
        Column("location_ids", _T.JSON, "JSON array of the locations that offer it."),
        Column("active", _T.BOOLEAN, "Whether it can be booked."),
        *_TAIL,
    ),
)

STAFF = Stream(
    "staff",
    "staff_id",
    (
        Column("staff_id", _T.TEXT, "The source's identifier of the staff member."),
        _ORGANIZATION,
        _LOCATION,
        Column("name", _T.TEXT, "Name shown to customers.", personal=True),
        Column("email", _T.TEXT, "Work e-mail address.", personal=True),
        Column("phone", _T.TEXT, "Work phone, E.164 where it can be told.", personal=True),
        Column("service_ids", _T.JSON, "JSON array of the services this person gives."),
        Column("active", _T.BOOLEAN, "Whether this person can be booked."),
        *_TAIL,
    ),
)

RESOURCES = Stream(
    "resources",
    "resource_id",
    (
        Column("resource_id", _T.TEXT, "The source's identifier of the resource."),
        _ORGANIZATION,
        _LOCATION,
        Column("name", _T.TEXT, "Name shown to customers."),
        Column("kind", _T.TEXT, "What it is, such as room or equipment."),
        Column("active", _T.BOOLEAN, "Whether it can be booked."),
        *_TAIL,
    ),
)

LOCATIONS = Stream(
    "locations",
    "location_id",
    (
        Column("location_id", _T.TEXT, "The source's identifier of the location."),
        _ORGANIZATION,
        Column("name", _T.TEXT, "Name shown to customers."),
        Column("address", _T.JSON, "Address as the source gives it, JSON."),
        Column("timezone", _T.TEXT, "IANA zone of the location."),
        Column("email", _T.TEXT, "Contact e-mail address."),
        Column("phone", _T.TEXT, "Contact phone, E.164 where it can be told."),
        *_TAIL,
    ),
)

ORGANIZATION = Stream(
    "organization",
    "organization_id",
    (
        Column("organization_id", _T.TEXT, "The source's identifier of the organization."),
        Column("name", _T.TEXT, "Trading name."),
        Column("timezone", _T.TEXT, "IANA zone of the head office."),
        Column("country", _T.TEXT, "ISO 3166-1 alpha-2 code."),
        Column("currency", _T.TEXT, "ISO 4217 code of its prices."),
        *_TAIL,
    ),
)

HOLIDAYS = Stream(
    "holidays",
    "holiday_id",
    (
        Column("holiday_id", _T.TEXT, "Location and day: `location_id@date`."),
        _ORGANIZATION,
        _LOCATION,
        Column("date", _T.DATE, "The holiday, by the location's calendar."),
        Column("name", _T.TEXT, "What the day is called."),
        *_TAIL,
    ),
)

AVAILABILITY = Stream(
    "availability",
    "availability_id",
    (
        Column(
            "availability_id",
            _T.TEXT,
            "Service, location, staff member and day: `service_id@location_id@staff_id@date`.",
        ),
        _ORGANIZATION,
        _LOCATION,
        Column("service_id", _T.TEXT, "Service that is offered."),
        Column("staff_id", _T.TEXT, "Who offers it; null where it was not asked for each person."),
        Column("date", _T.DATE, "The day, by the location's calendar."),
        Column("timezone", _T.TEXT, "IANA zone of the location."),
        Column(
            "slots",
            _T.JSON,
            "JSON array of the free slots in order: [start, end], ISO 8601 in UTC. A slot that "
            "has begun stays as it was last seen.",
        ),
        Column("slot_count", _T.INTEGER, "How many free slots."),
        Column("free_minutes", _T.INTEGER, "Minutes that at least one free slot covers."),
        *_TAIL,
    ),
)

APPOINTMENT_VERSIONS = Stream(
    "appointment_versions",
    "version_id",
    (
        Column("version_id", _T.TEXT, "Appointment, time and content of the version."),
        Column("valid_from", _T.INSTANT, "Since when the appointment was so, UTC."),
        Column(
            "valid_to", _T.INSTANT, "When the next version took its place, UTC; null: it stands."
        ),
        Column("is_deleted", _T.BOOLEAN, "Whether the appointment was gone from the source."),
        Column(
            "changed",
            _T.JSON,
            "JSON array of the columns that differ from the version before, `updated_at` left "
            "out; null in the first version known.",
        ),
        Column("learnt_by", _T.TEXT, "How the version was learnt: pull or webhook."),
        Column("learnt_at", _T.INSTANT, "When the version was learnt, UTC."),
        *APPOINTMENTS.content,
    ),
)

#: Every stream, in the order a sync pulls and delivers them: appointments need the locations'
#: time zones, and versions come before the appointments that they are the past of.
STREAMS: dict[str, Stream] = {
    stream.name: stream
    for stream in (
        ORGANIZATION,
        LOCATIONS,
        SERVICES,
        STAFF,
        RESOURCES,
        HOLIDAYS,
        AVAILABILITY,
        APPOINTMENT_VERSIONS,
        APPOINTMENTS,
    )
}

#: Those that the store makes of others' past; the source never lists them.
DERIVED = frozenset({APPOINTMENT_VERSIONS.name})
#: Those that the source lists.
PULLED = {name: stream for name, stream in STREAMS.items() if name not in DERIVED}


def in_order(names: Iterable[str]) -> list[str]:
    """Stream names in the order they are pulled and delivered."""
    chosen = set(names)
    return [name for name in STREAMS if name in chosen]


def delivered(pulled: Iterable[str]) -> list[str]:
    """Streams that sinks are given, in order: those that are pulled, and what is made of them."""
    chosen = set(pulled)
    if APPOINTMENTS.name in chosen:
        chosen |= DERIVED
    return in_order(chosen)


class Op(StrEnum):
    """What a change does to its record."""

    UPSERT = "upsert"
    DELETE = "delete"


#: A row: one value per column, held as `ColumnType` says. In the store it has the content columns
#: and, where the record has values of promoted ones, those at its end; see `promoting`.
Row = tuple[Any, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def to_micros(instant: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC datetime of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=micros)


def to_python(value: Any, kind: ColumnType) -> Any:
    """A stored value as the Python value a connector expects.

    INSTANT becomes an aware UTC `datetime`, LOCAL_TIME a naive one, DATE a `date`,
    DECIMAL a `Decimal`; every other type stays as it is. None stays None.
    """
    if value is None:
        return None
    match kind:
        case ColumnType.INSTANT:
            return from_micros(value)
        case ColumnType.LOCAL_TIME:
            return _LOCAL_EPOCH + timedelta(microseconds=value)
        case ColumnType.DATE:
            return date.fromordinal(_EPOCH_DAY + value)
        case ColumnType.DECIMAL:
            return Decimal(value)
        case _:
            return value
