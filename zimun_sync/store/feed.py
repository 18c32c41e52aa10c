"""The change feed as sinks read it, and what a source's streams hold."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.model import APPOINTMENT_VERSIONS, PULLED
from zimun_sync.store.database import Database
from zimun_sync.store.keys import of_keys
from zimun_sync.store.listings import Listings
from zimun_sync.store.schema import gathered_keys, record_keys, records, sources
from zimun_sync.store.version_feed import VersionFeed
from zimun_sync.stored import PackedChanges, StoredChange

_VERSIONS = APPOINTMENT_VERSIONS.name
_COLUMNS = (
    records.c.seq,
    records.c.key,
    records.c.deleted,
    records.c.row,
    records.c.row_hash,
    records.c.run_id,
    records.c.observed_at,
    records.c.since,
)
#: No rows, by column.
_NOTHING: Final = ((),) * len(_COLUMNS)
_LAST = 2**63 - 1
#: Where a row holds the source's own time of it.
_UPDATED_AT = {
    name: [column.name for column in stream.content].index("updated_at")
    for name, stream in PULLED.items()
}


class Lag(Struct, frozen=True):
    """How far behind the feed a sink is.

    Args:
        changes: changes it has not taken yet.
        oldest: when the oldest of those was stored, microseconds UTC; None without any.
    """

    changes: int
    oldest: int | None


class Feed:
    """Reads changes; never writes but for the durability barrier.

    Args:
        database: the store's connections.
        listings: numbers of listings.
    """

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings
        self._versions = VersionFeed(database, listings)

    def heads(self) -> dict[str, int]:
        """The last sequence of every source."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(sources.c.name, sources.c.seq)).all()
        return {row.name: row.seq for row in rows}

    def make_durable(self, source: str) -> None:
        """Return only when every change committed so far survives a power loss."""
        with self._database.read() as connection:
            behind = connection.execute(
                sa.select(sources.c.synced_barrier < sources.c.seq).where(sources.c.name == source)
            ).scalar_one_or_none()
        if behind:
            with self._database.write(durable=True) as connection:
                connection.execute(
                    sa.update(sources)
                    .where(sources.c.name == source)
                    .values(synced_barrier=sources.c.seq)
                )

    def changes(
        self, source: str, stream: str, after: int, limit: int, upto: int = _LAST
    ) -> Sequence[StoredChange]:
        """Up to `limit` changes with a sequence above `after`, and up to `upto`, in order.

        Versions of one appointment come together, even where they are more than `limit`. Rows are
        unpacked whenever they are read.
        """
        if stream == _VERSIONS:
            return self._versions.changes(source, after, limit, upto)
        with self._database.read() as connection:
            query = (
                sa.select(*_COLUMNS)
                .where(
                    self._of(connection, source, stream),
                    records.c.seq > after,
                    records.c.seq <= upto,
                )
                .order_by(records.c.seq)
                .limit(limit)
            )
            return _changes(stream, connection.execute(query).all())

    def present(self, source: str, stream: str, keys: Collection[str]) -> list[StoredChange]:
        """The current state of these records, in sequence order."""
        if stream == _VERSIONS:
            return self._versions.present(source, keys)
        return list(_changes(stream, self._rows(source, stream, keys)))

    def versions_of(self, source: str, keys: Collection[str]) -> list[str]:
        """Ids of the versions that these appointments have, and of those that they had no more."""
        return self._versions.ids_of(source, keys)

    def last_known(self, source: str, stream: str, keys: Collection[str]) -> list[StoredChange]:
        """As `present`, but with the last content of records that are deleted."""
        if stream == _VERSIONS:
            return self._versions.present(source, keys)
        return list(_changes(stream, self._rows(source, stream, keys), gone_too=True))

    def raws(self, source: str, stream: str, keys: Collection[str]) -> dict[str, bytes]:
        """These records as the source gave them last; empty for those that are deleted."""
        with self._database.read() as connection:
            query = sa.select(records.c.key, records.c.raw).where(
                self._among(connection, source, stream, keys)
            )
            return {row.key: row.raw for row in connection.execute(query)}

    def hashes(self, source: str, stream: str) -> Iterator[tuple[str, str]]:
        """Key and row hash of every record that is not deleted."""
        if stream == _VERSIONS:
            yield from ((change.key, change.hash) for change in self._versions.every(source))
            return
        with self._database.read() as connection:
            listing = self._listings.number(connection, source, stream)
            found = [
                sa.select(table.c.key, records.c.row_hash)
                .join_from(table, records, records.c.id == table.c.record)
                .where(table.c.listing == listing, records.c.deleted.is_(False))
                for table in (record_keys, gathered_keys)
            ]
            query = sa.union_all(*found).order_by(sa.text("1"))  # by key
            for key, row_hash in connection.execute(query.execution_options(yield_per=10_000)):
                yield key, row_hash.hex()

    def lag(self, source: str, stream: str, after: int, upto: int | None = None) -> Lag:
        """What lies behind sequence `after`, up to `upto` where that is given."""
        if stream == _VERSIONS:
            return Lag(*self._versions.lag(source, after, upto))
        with self._database.read() as connection:
            query = sa.select(sa.func.count(), sa.func.min(records.c.observed_at)).where(
                self._of(connection, source, stream), records.c.seq > after
            )
            if upto is not None:
                query = query.where(records.c.seq <= upto)
            count, oldest = connection.execute(query).one()
        return Lag(count, oldest)

    def count(self, source: str, stream: str) -> int:
        """Records that are not deleted."""
        if stream == _VERSIONS:
            return self._versions.count(source)
        with self._database.read() as connection:
            listing = self._of(connection, source, stream)
            # Both counts come from an index; the flag itself stands in the rows.
            everything = sa.select(sa.func.count()).where(listing)
            deleted = sa.select(sa.func.count()).where(listing, records.c.deleted)
            total: int = connection.execute(everything).scalar_one()
            return total - int(connection.execute(deleted).scalar_one())

    def _rows(self, source: str, stream: str, keys: Collection[str]) -> Sequence[Any]:
        with self._database.read() as connection:
            query = (
                sa.select(*_COLUMNS)
                .where(self._among(connection, source, stream, keys))
                .order_by(records.c.seq)
            )
            return connection.execute(query).all()

    def _among(
        self, connection: Connection, source: str, stream: str, keys: Collection[str]
    ) -> sa.ColumnElement[bool]:
        listing = self._listings.number(connection, source, stream)
        return of_keys(self._database, listing, self._database.list_of(sorted(keys)))

    def _of(self, connection: Connection, source: str, stream: str) -> sa.ColumnElement[bool]:
        return records.c.listing == self._listings.number(connection, source, stream)


def _changes(stream: str, rows: Sequence[Any], *, gone_too: bool = False) -> PackedChanges:
    """Rows of `_COLUMNS` as changes; `gone_too`: with the content of those that are deleted."""
    seqs, keys, deleted, packed, *rest = zip(*rows, strict=True) if rows else _NOTHING
    if any(deleted) and not gone_too:
        packed = tuple(None if gone else row for gone, row in zip(deleted, packed, strict=True))
    return PackedChanges((seqs, keys, packed, *rest), _UPDATED_AT[stream])
