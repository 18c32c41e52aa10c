"""Which streams have something for a sink, in few queries: asked before each delivery."""

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.model import APPOINTMENT_VERSIONS, APPOINTMENTS
from zimun_sync.store.schema import history, listings, offsets, quarantine, records

_SINK: sa.BindParameter[str] = sa.bindparam("sink")
_SOURCE: sa.BindParameter[str] = sa.bindparam("source")
_OFFSETS = sa.select(offsets.c.stream, offsets.c.fingerprint, offsets.c.seq).where(
    offsets.c.sink == _SINK, offsets.c.source == _SOURCE
)
_MARKED = sa.select(quarantine.c.stream).where(
    quarantine.c.source == _SOURCE, quarantine.c.sink == _SINK, quarantine.c.status == "retry"
)


def _last(table: sa.Table) -> sa.ColumnElement[int]:
    """The last sequence of a listing; both tables have an index for it."""
    found = sa.select(sa.func.max(table.c.seq)).where(table.c.listing == listings.c.id)
    return sa.func.coalesce(found.scalar_subquery(), 0)


_LAST = sa.select(listings.c.stream, _last(records), _last(history)).where(
    listings.c.source == _SOURCE
)


def waiting(
    connection: Connection, sink: str, source: str, fingerprints: Mapping[str, str]
) -> dict[str, int]:
    """Streams that have something for a sink, with the last sequence that it took of each.

    Args:
        connection: in a transaction.
        sink: the sink's name.
        source: the source's name.
        fingerprints: of what the sink is given now, by stream; an offset counts for no other.
    """
    at = {"sink": sink, "source": source}
    last = _last_by_stream(connection, source)
    offset_of = {(stream, given): seq for stream, given, seq in connection.execute(_OFFSETS, at)}
    marked = set(connection.execute(_MARKED, at).scalars())
    taken = {stream: offset_of.get((stream, given), 0) for stream, given in fingerprints.items()}
    return {
        stream: seq
        for stream, seq in taken.items()
        if last.get(stream, 0) > seq or stream in marked
    }


def _last_by_stream(connection: Connection, source: str) -> dict[str, int]:
    last = {}
    for stream, record, version in connection.execute(_LAST, {"source": source}):
        last[stream] = record
        if stream == APPOINTMENTS.name:  # versions are made of its past
            last[APPOINTMENT_VERSIONS.name] = version
    return last
