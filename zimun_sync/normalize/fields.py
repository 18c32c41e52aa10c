"""Which source field fills which canonical column, and how."""

from collections.abc import Mapping

from msgspec import Struct

from zimun_sync.model import STREAMS, Column, ColumnType, Stream
from zimun_sync.normalize import slots, values
from zimun_sync.normalize.values import Converter

#: Source fields by canonical column where the names differ or have alternatives; the first
#: that is present and not null counts. Everything not listed is called as its column. Streams
#: that are not listed at all are made by us of the source's answers.
DEFAULT_FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "appointments": {
        "appointment_id": ("appointment_id", "booking_id", "id"),
        "starts_at": ("appointment_time",),
        "duration_minutes": ("appointment_duration",),
        "source_status": ("status",),
    },
    "services": {"service_id": ("service_id", "id"), "duration_minutes": ("duration",)},
    "staff": {"staff_id": ("staff_id", "id")},
    "resources": {"resource_id": ("resource_id", "id")},
    "locations": {"location_id": ("location_id", "id")},
    "organization": {"organization_id": ("organization_id", "id")},
}

#: Streams whose records are the source's own, so that fields of theirs may be promoted.
PROMOTABLE = tuple(name for name in STREAMS if name in DEFAULT_FIELDS)

#: Columns that the normalizer works out from others.
_DERIVED = {
    "status",
    "ends_at",
    "local_start",
    "local_date",
    "utc_offset_minutes",
    "price_amount",
    "price_currency",
    "deleted_at",
    "extra",
    "slot_count",
    "free_minutes",
}
_CONVERTERS: dict[ColumnType, Converter] = {
    ColumnType.TEXT: values.text,
    ColumnType.INTEGER: values.integer,
    ColumnType.BOOLEAN: values.boolean,
    ColumnType.INSTANT: values.instant,
    ColumnType.DATE: slots.day,
    ColumnType.JSON: values.json_text,
}


class Field(Struct, frozen=True):
    """One canonical column filled straight from the source.

    Args:
        column: the canonical column's name.
        names: the source's names for it, the preferred one first.
        convert: from JSON to the stored value.
    """

    column: str
    names: tuple[str, ...]
    convert: Converter


def fields_of(stream: Stream, overrides: Mapping[str, tuple[str, ...]]) -> tuple[Field, ...]:
    """The plain fields of a stream; `overrides` are the user's names by canonical column."""
    names = DEFAULT_FIELDS.get(stream.name, {}) | dict(overrides)
    return tuple(
        Field(column.name, names.get(column.name, (column.name,)), _converter(stream, column))
        for column in stream.content
        if column.name not in _DERIVED and not _is_appointment_zone(stream, column)
    )


def _is_appointment_zone(stream: Stream, column: Column) -> bool:
    return stream.name == "appointments" and column.name == "timezone"


def _converter(stream: Stream, column: Column) -> Converter:
    if column.name.endswith("_id"):
        return values.identifier
    if column.name == "duration_minutes":
        return values.minutes
    if stream.name == "appointments" and column.name == "starts_at":
        return values.local_moment
    if stream.name == "availability" and column.name == "slots":
        return slots.slots
    return _CONVERTERS[column.type]


def mappable_columns(stream_name: str) -> set[str]:
    """Canonical columns whose source field the user may rename, `price` included."""
    plain = {field.column for field in fields_of(STREAMS[stream_name], {})}
    priced = {"price"} if stream_name in {"appointments", "services"} else set()
    return plain | priced
