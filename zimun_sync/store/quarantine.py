"""Quarantine: dead ends with their reason, one entry a record and sink, until a good version."""

from collections.abc import Collection, Sequence
from hashlib import sha256

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.errors import ConfigError
from zimun_sync.normalize import Refused
from zimun_sync.normalize.events import EVENT_KEY
from zimun_sync.store.database import Database
from zimun_sync.store.schema import quarantine

#: `sink` of an entry whose record could not be normalized.
SOURCE_SIDE = ""
_CHUNK = 5_000
_WAITING = ("open", "retry")
_UNSETTLED = (*_WAITING, "dropped")


class Entry(Struct, frozen=True):
    """An entry as people see it.

    Args:
        id: number for `quarantine show|retry|drop`.
        source: source it came from.
        stream: its stream.
        sink: the sink that rejected it; empty when it could not be normalized.
        key: the record's key, or `sha256:…` of its bytes where it has none.
        status: open, retry, closed or dropped.
        code: kind of fault.
        message: what is wrong with it.
        raw: the record's bytes, for records that could not be normalized.
        content: SHA-256 of those bytes, kept when they are let go.
        run_id: the run that saw it last.
        attempts: how often it was refused.
        first_at: when it was refused first, microseconds since the epoch, UTC.
        last_at: when it was refused last, microseconds since the epoch, UTC.
    """

    id: int
    source: str
    stream: str
    sink: str
    key: str
    status: str
    code: str
    message: str
    raw: bytes | None
    content: str | None
    run_id: str
    attempts: int
    first_at: int
    last_at: int


def put(
    database: Database,
    connection: Connection,
    place: tuple[str, str, str],
    refused: Sequence[Refused],
    stamp: tuple[str, int],
) -> None:
    """Enter records for (source, stream, sink), or count another attempt; `stamp`: run, now."""
    if not refused:
        return
    insert = database.upsert(quarantine)
    again = {
        "status": "open",
        "code": insert.excluded.code,
        "message": insert.excluded.message,
        "raw": insert.excluded.raw,
        "content": insert.excluded.content,
        "run_id": insert.excluded.run_id,
        "attempts": quarantine.c.attempts + 1,
        "last_at": insert.excluded.last_at,
    }
    statement = insert.on_conflict_do_update(
        index_elements=["source", "stream", "sink", "key"], set_=again
    )
    source, stream, sink = place
    run_id, now = stamp
    rows = [
        {
            "source": source,
            "stream": stream,
            "sink": sink,
            "key": item.key,
            "status": "open",
            "code": item.code,
            "message": item.message,
            "raw": item.raw,
            "content": digest_of_raw(item.raw),
            "run_id": run_id,
            "attempts": 1,
            "first_at": now,
            "last_at": now,
        }
        for item in refused
    ]
    connection.execute(statement, rows)


def without_dropped(
    connection: Connection, place: tuple[str, str, str], refused: Sequence[Refused]
) -> list[Refused]:
    """What is left of `refused` without records that a person dropped as they are."""
    if not refused:
        return []
    source, stream, sink = place
    rows = connection.execute(
        sa.select(quarantine.c.key, quarantine.c.content).where(
            quarantine.c.source == source,
            quarantine.c.stream == stream,
            quarantine.c.sink == sink,
            quarantine.c.status == "dropped",
        )
    )
    dropped = {(key, content) for key, content in rows}
    return [item for item in refused if (item.key, digest_of_raw(item.raw)) not in dropped]


def close_unlisted(
    connection: Connection, source: str, stream: str, run_id: str, before: int | None = None
) -> None:
    """Close source-side entries that a complete listing no longer brought.

    Args:
        connection: in a transaction.
        source: the source's name.
        stream: the stream's.
        run_id: of the listing.
        before: leave alone what was seen at this time or later, microseconds UTC.
    """
    earlier = [] if before is None else [quarantine.c.last_at < before]
    connection.execute(
        sa.update(quarantine)
        .where(
            _at(source, stream, SOURCE_SIDE, _WAITING),
            quarantine.c.run_id != run_id,
            *earlier,
            quarantine.c.key.not_like(f"{EVENT_KEY}%"),  # no listing can tell of those
        )
        .values(status="closed", raw=None)
    )


def digest_of_raw(raw: bytes | None) -> str | None:
    """SHA-256 of a record's bytes, by which one that was dropped is known again."""
    return None if raw is None else sha256(raw).hexdigest()


_KEYS = sa.select(quarantine.c.key).where(
    quarantine.c.source == sa.bindparam("at_source"),
    quarantine.c.stream == sa.bindparam("at_stream"),
    quarantine.c.sink == sa.bindparam("at_sink"),
)


def _keys_of(statuses: Sequence[str]) -> sa.Select[str]:
    """Written out, for it is asked with every page: a list would be rendered anew each time."""
    return _KEYS.where(sa.or_(*(quarantine.c.status == status for status in statuses)))


_WAITING_KEYS = _keys_of(_WAITING)
_UNSETTLED_KEYS = _keys_of(_UNSETTLED)


def waiting(connection: Connection, place: tuple[str, str, str]) -> Sequence[str]:
    """Keys of the entries of (source, stream, sink) that no good version has overtaken."""
    source, stream, sink = place
    at = {"at_source": source, "at_stream": stream, "at_sink": sink}
    return connection.execute(_WAITING_KEYS, at).scalars().all()


def close(
    connection: Connection,
    place: tuple[str, str, str],
    keys: Collection[str],
    among: Collection[str] | None = None,
) -> None:
    """Close the entries that a good version of their record has overtaken.

    Args:
        connection: in a transaction.
        place: source, stream and sink.
        keys: of the records.
        among: keys of all the entries that wait, for those who know them.
    """
    if keys:
        open_ = waiting(connection, place) if among is None else among
        _close(connection, place, set(open_) & set(keys), _WAITING)


def close_taken(connection: Connection, place: tuple[str, str, str], keys: Collection[str]) -> None:
    """Close the entries of records that a sink has taken: those that were dropped too.

    What a person dropped on the source's side stays dropped: the same bytes would come again.
    """
    source, stream, sink = place
    at = {"at_source": source, "at_stream": stream, "at_sink": sink}
    unsettled = connection.execute(_UNSETTLED_KEYS, at).scalars().all()
    _close(connection, place, set(unsettled) & set(keys), _UNSETTLED)


def _close(
    connection: Connection,
    place: tuple[str, str, str],
    overtaken: Collection[str],
    statuses: Sequence[str],
) -> None:
    keys = sorted(overtaken)
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        connection.execute(
            sa.update(quarantine)
            .where(_at(*place, statuses), quarantine.c.key.in_(chunk))
            .values(status="closed", raw=None)
        )


def _at(source: str, stream: str, sink: str, statuses: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(
        quarantine.c.source == source,
        quarantine.c.stream == stream,
        quarantine.c.sink == sink,
        quarantine.c.status.in_(statuses),
    )


class Quarantine:
    """What people and the retry do with entries.

    Args:
        database: the store's connections.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, *, source: str | None = None, sink: str | None = None) -> list[Entry]:
        """Open entries and those that wait for a retry, oldest first."""
        query = sa.select(quarantine).where(quarantine.c.status.in_(_WAITING))
        if source is not None:
            query = query.where(quarantine.c.source == source)
        if sink is not None:
            query = query.where(quarantine.c.sink == sink)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(quarantine.c.id)).all()
        return [Entry(*tuple(row)) for row in rows]

    def entry(self, number: int) -> Entry:
        """One entry by its number.

        Raises:
            ConfigError: there is none.
        """
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(quarantine).where(quarantine.c.id == number)
            ).one_or_none()
        if row is None:
            raise ConfigError(
                f"There is no quarantine entry {number}.",
                hint="`zimun-sync quarantine list` shows the open ones.",
            )
        return Entry(*tuple(row))

    def count_open(self, sources: Sequence[str], sinks: Sequence[str]) -> int:
        """How many entries of these sources wait, on the source's side or in these sinks."""
        query = sa.select(sa.func.count()).where(
            quarantine.c.source.in_(sources),
            quarantine.c.sink.in_([SOURCE_SIDE, *sinks]),
            quarantine.c.status.in_(_WAITING),
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def mark(self, number: int, status: str) -> Entry:
        """Set a waiting entry's status (`open`, `retry`, `dropped` or `closed`) and return it.

        Opening or closing an entry that was settled meanwhile leaves it as it is.

        Raises:
            ConfigError: there is no such entry, or nothing of it is left to retry or to drop.
        """
        gone = {"raw": None} if status in {"dropped", "closed"} else {}
        waiting = sa.and_(quarantine.c.id == number, quarantine.c.status.in_(_WAITING))
        with self._database.write(durable=True) as connection:
            marked = connection.execute(
                sa.update(quarantine)
                .where(waiting)
                .values(status=status, **gone)
                .returning(*quarantine.columns)
            ).one_or_none()
        if marked is not None:
            return Entry(*tuple(marked))
        settled = self.entry(number)
        if status in {"open", "closed"}:
            return settled
        raise ConfigError(
            f"Quarantine entry {number} is {settled.status}: it no longer waits.",
            hint="`zimun-sync quarantine list` shows those that do.",
        )

    def marked(self, source: str) -> list[Entry]:
        """Entries on the source's side that someone asked to retry, of every stream."""
        query = sa.select(quarantine).where(
            quarantine.c.source == source,
            quarantine.c.sink == SOURCE_SIDE,
            quarantine.c.status == "retry",
        )
        with self._database.read() as connection:
            return [Entry(*tuple(row)) for row in connection.execute(query).all()]

    def retrying(self, source: str, stream: str, sink: str) -> list[Entry]:
        """Entries of one place that someone asked to retry."""
        query = sa.select(quarantine).where(
            quarantine.c.source == source,
            quarantine.c.stream == stream,
            quarantine.c.sink == sink,
            quarantine.c.status == "retry",
        )
        with self._database.read() as connection:
            return [Entry(*tuple(row)) for row in connection.execute(query).all()]
