"""The stream of appointments' versions, made of history when it is read.

Its records are the versions of every appointment that has a past; those of one appointment
share the sequence of the latest change in it, and are always read together.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.model import APPOINTMENTS
from zimun_sync.normalize import hash_of, pack_row, unpack_row
from zimun_sync.sinks import StoredChange
from zimun_sync.store.database import Database
from zimun_sync.store.inbox import WEBHOOK
from zimun_sync.store.keys import of_keys
from zimun_sync.store.listings import Listings
from zimun_sync.store.schema import history, records
from zimun_sync.store.timeline import Sighting, key_of, rows_of, timeline

#: Appointments whose versions are looked up in one query.
_AT_ONCE: Final = 500
_NAMES: Final = ("key", "seq", *Sighting._fields)


class VersionFeed:
    """Reads versions as the change feed gives records.

    Args:
        database: the store's connections.
        listings: numbers of listings.
    """

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings

    def changes(self, source: str, after: int, limit: int, upto: int) -> list[StoredChange]:
        """Versions of appointments whose past changed after a sequence, up to another, in order.

        At most `limit`, unless the next appointment alone has more.
        """
        found: list[StoredChange] = []
        with self._database.read() as connection:
            for keys in _chunks(self._keys(connection, source, after, limit, upto)):
                for group in self._grouped(connection, source, keys):
                    if found and len(found) + len(group) > limit:
                        return found
                    found += group
        return found

    def present(self, source: str, version_ids: Collection[str]) -> list[StoredChange]:
        """The current state of these versions, in sequence order; others are left out."""
        wanted = set(version_ids)
        keys = sorted({key_of(each) for each in version_ids})
        with self._database.read() as connection:
            groups = [
                group for some in _chunks(keys) for group in self._grouped(connection, source, some)
            ]
        changes = [change for group in groups for change in group if change.key in wanted]
        return sorted(changes, key=lambda change: change.seq)

    def ids_of(self, source: str, keys: Collection[str]) -> list[str]:
        """Ids of these appointments' versions, and of those that turned out to be none."""
        with self._database.read() as connection:
            return [
                change.key
                for some in _chunks(sorted(keys))
                for group in self._grouped(connection, source, some)
                for change in group
            ]

    def every(self, source: str) -> Iterator[StoredChange]:
        """Every version there is, appointment after appointment in the order of their keys."""
        after: str | None = None
        with self._database.read() as connection:
            while keys := self._next_keys(connection, source, after):
                for group in self._grouped(connection, source, keys):
                    yield from (change for change in group if change.row is not None)
                after = keys[-1]

    def _next_keys(self, connection: Connection, source: str, after: str | None) -> Sequence[str]:
        beyond = sa.true() if after is None else history.c.key > after
        query = (
            sa.select(history.c.key)
            .where(self._of(connection, source), beyond)
            .distinct()
            .order_by(history.c.key)
            .limit(_AT_ONCE)
        )
        return connection.execute(query).scalars().all()

    def lag(self, source: str, after: int, upto: int | None = None) -> tuple[int, int | None]:
        """Appointments whose past changed after a sequence, and when the first of them did."""
        with self._database.read() as connection:
            which = [self._of(connection, source), history.c.seq > after]
            if upto is not None:
                which.append(history.c.seq <= upto)
            # One sequence is one appointment, and its latest past is what is new about it.
            learnt = sa.select(sa.func.max(history.c.superseded_at).label("at")).where(*which)
            each = learnt.group_by(history.c.seq).subquery()
            query = sa.select(sa.func.count(), sa.func.min(each.c.at)).select_from(each)
            appointments, oldest = connection.execute(query).one()
        return appointments, oldest

    def count(self, source: str) -> int:
        """How many versions are held, the present ones of appointments with a past included."""
        with self._database.read() as connection:
            held = sa.func.count() + sa.func.count(sa.distinct(history.c.key))
            query = sa.select(held).where(self._of(connection, source))
            return int(connection.execute(query).scalar_one())

    def _of(self, connection: Connection, source: str) -> sa.ColumnElement[bool]:
        return history.c.listing == self._listings.number(connection, source, APPOINTMENTS.name)

    def _keys(
        self, connection: Connection, source: str, after: int, limit: int, upto: int
    ) -> Sequence[str]:
        """Appointments whose past changed between two sequences, in order, each once."""
        query = (
            sa.select(sa.func.max(history.c.key))
            .where(self._of(connection, source), history.c.seq > after, history.c.seq <= upto)
            .group_by(history.c.seq)
            .order_by(history.c.seq)
            .limit(limit)
        )
        return connection.execute(query).scalars().all()

    def _grouped(
        self, connection: Connection, source: str, keys: Sequence[str]
    ) -> Iterator[list[StoredChange]]:
        """The versions of each appointment, in the order of `keys`."""
        past: dict[str, list[Any]] = {}
        for row in self._rows(connection, source, history, keys):
            past.setdefault(row.key, []).append(row)
        present = {row.key: row for row in self._rows(connection, source, records, keys)}
        for key in keys:
            if key in past:
                yield _changes(key, past[key], present[key])

    def _rows(
        self, connection: Connection, source: str, table: sa.Table, keys: Sequence[str]
    ) -> Sequence[Any]:
        columns = [table.c[name] if name in table.c else sa.false().label(name) for name in _NAMES]
        listing = self._listings.number(connection, source, APPOINTMENTS.name)
        listed = self._database.list_of(keys)
        if table is records:
            which = of_keys(self._database, listing, listed)
        else:
            which = (table.c.listing == listing) & self._database.among(table.c.key, listed)
        query = sa.select(*columns).where(which)
        return connection.execute(query).all()


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]


def _changes(key: str, past: Sequence[Any], present: Any) -> list[StoredChange]:
    """One appointment's versions, and deletions of those that turned out to be none."""
    seq = past[0].seq
    found = timeline(key, [_sighting(row) for row in past], _sighting(present))
    merged = [
        StoredChange(seq, each, None, "", present.run_id, present.observed_at)
        for each in found.merged
    ]
    return merged + [
        StoredChange(
            seq, version_id, row, hash_of(pack_row(row)).hex(), seen.run_id, seen.observed_at
        )
        for (version_id, row), (*_, seen) in zip(
            rows_of(found, WEBHOOK), found.versions, strict=True
        )
    ]


def _sighting(row: Any) -> Sighting:
    return Sighting(
        row.correction,
        row.overruled,
        row.version,
        row.since,
        row.deleted,
        row.hash,
        unpack_row(row.row),
        row.run_id,
        row.observed_at,
        bool(row.pruned),
    )
