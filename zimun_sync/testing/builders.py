"""Rows, changes, batches and contexts for tests of connectors."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from zimun_sync.ids import Lookup, Memory
from zimun_sync.model import APPOINTMENTS, STREAMS, ColumnType, Row, Stream, to_micros
from zimun_sync.sinks import Batch, SinkContext, StoredChange

#: The clock of `sink_context`, and when every built change was taken by the store.
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

_LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_START = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)

_TO_STORED: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.INSTANT: to_micros,
    ColumnType.LOCAL_TIME: lambda value: (value - _LOCAL_EPOCH) // timedelta(microseconds=1),
    ColumnType.DATE: lambda value: (value - _LOCAL_EPOCH.date()).days,
    ColumnType.DECIMAL: lambda value: format(Decimal(value), "f"),
}


def to_stored(value: Any, kind: ColumnType) -> Any:
    """A Python value as a stored row holds it: the inverse of `zimun_sync.model.to_python`.

    JSON columns take any value that `json.dumps` does, or JSON text as it is.
    """
    if value is None:
        return None
    if kind is ColumnType.JSON and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    convert = _TO_STORED.get(kind)
    return convert(value) if convert else value


def make_row(stream: Stream, key: str, **values: Any) -> Row:
    """A stored row of the stream: its key, the given Python values, and NULL elsewhere.

    Raises:
        KeyError: a value is given for a column that the stream does not have.
    """
    unknown = values.keys() - {column.name for column in stream.filled}
    if unknown:
        raise KeyError(f"{stream.name} has no column {', '.join(sorted(unknown))}")
    given = values | {stream.key: key}
    return tuple(to_stored(given.get(column.name), column.type) for column in stream.filled)


def appointment_row(key: str, **values: Any) -> Row:
    """A stored row of an ordinary appointment in Vienna; `values` replace its Python values."""
    ordinary = {
        "organization_id": "o_1",
        "location_id": "l_vienna",
        "service_id": "s_cut",
        "staff_id": "st_ana",
        "status": "confirmed",
        "source_status": "confirmed",
        "starts_at": _START,
        "ends_at": _START + timedelta(minutes=45),
        "local_start": datetime(2026, 11, 20, 9, 45),  # noqa: DTZ001 - a wall clock has no zone
        "local_date": date(2026, 11, 20),
        "timezone": "Europe/Vienna",
        "utc_offset_minutes": 60,
        "duration_minutes": 45,
        "contact_name": "Zoë Ångström",
        "contact_email": "zoe@example.com",
        "contact_phone": "+436601234567",
        "price_amount": Decimal("49.50"),
        "price_currency": "EUR",
        "created_at": datetime(2026, 10, 1, 12, 0, 0, 250_000, tzinfo=UTC),
        "updated_at": datetime(2026, 11, 19, 17, 30, tzinfo=UTC),
        "extra": {"channel": "web"},
    }
    return make_row(APPOINTMENTS, key, **(ordinary | values))


def upsert(seq: int, key: str, row: Row | None = None, **values: Any) -> StoredChange:
    """An upsert of the given stored row, or of an ordinary appointment with those values."""
    content = appointment_row(key, **values) if row is None else row
    digest = hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()
    return StoredChange(seq, key, content, digest, "run-1", to_micros(NOW))


def delete(seq: int, key: str) -> StoredChange:
    """The deletion of a record."""
    return StoredChange(seq, key, None, "", "run-1", to_micros(NOW))


def make_batch(
    *changes: StoredChange,
    stream: Stream = APPOINTMENTS,
    source: str = "main",
    more: bool = False,
) -> Batch:
    """A batch of the given changes, which must come in sequence order."""
    return Batch(source, stream, changes, more)


def sink_context(
    *,
    store_id: str = "store-1",
    heads: Mapping[str, int] | None = None,
    adopting: bool = False,
    memory: Memory | None = None,
    lookup: Lookup | None = None,
    streams: Mapping[str, Stream] = STREAMS,
) -> SinkContext:
    """What the engine would give a sink on opening; the clock stands still at `NOW`.

    Args:
        store_id: identity of the store.
        heads: last sequence per source; by default far above any test's.
        adopting: whether the user asked to adopt the sink.
        memory: for sinks that remember what they wrote; others do without.
        lookup: for sinks that ask the store; others do without.
        streams: every stream by name, with the columns that a configuration promotes.
    """
    known = {"main": 10**9, "second": 10**9} if heads is None else heads
    context = SinkContext(
        "under-test", store_id, known, lambda: NOW, adopting=adopting, streams=streams
    )
    return replace(context, memory=memory or context.memory, lookup=lookup or context.lookup)
