"""Finding records by key: an index in the order of keys, and new keys on their way into it.

Keys come in no order: a page of a listing touches as many leaves of such an index as it has new
records, and a database writes each leaf whole. New keys of a long listing are therefore gathered
in the order in which they come, and go into the index many at once, in its own order.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.database import Database
from zimun_sync.store.schema import gathered_keys, record_keys, records

#: So many keys of a listing are gathered at most: whoever only reads looks through all of them.
GATHERED: Final = 32_000
#: Fewer new keys than this go into the index right away.
FEW: Final = 64
#: How many numbers each listing has for its records.
_NUMBERS: Final = 2**40


def record_id(listing: int, seq: int) -> int:
    """The number of the record that came with this sequence; no other one ever gets it."""
    return listing * _NUMBERS + seq


def of_keys(database: Database, listing: Any, keys: Any) -> sa.ColumnElement[bool]:
    """Whether a row of `records` has one of these keys.

    Args:
        database: the store's connections.
        listing: the number of their listing, or a parameter for it.
        keys: as `Database.among` takes them.
    """
    found = [
        sa.select(table.c.record).where(
            table.c.listing == listing, database.among(table.c.key, keys)
        )
        for table in (record_keys, gathered_keys)
    ]
    return records.c.id.in_(sa.union_all(*found))


def of_listing(listing: int) -> sa.ColumnElement[bool]:
    """Whether a row of `records` is of this listing, for going through them by their numbers."""
    numbers = _numbers_of(listing)
    return records.c.id.between(numbers["first"], numbers["last"])


class _Gathered(msgspec.Struct):
    """Keys of a listing that are not in the index, as far as they have been read.

    Args:
        ids: numbers of their records.
        last: the greatest number that was read.
        rollbacks: `Database.rollbacks` of that time: what was read may have been taken back.
    """

    ids: dict[str, int]
    last: int
    rollbacks: int


class Keys:
    """The index of keys for those who write.

    Each method works in a write transaction of someone else, who has locked the source.

    Args:
        database: the store's connections.
        columns: of `records`, the key first: what `find` gives.
    """

    def __init__(self, database: Database, columns: Sequence[sa.ColumnElement[Any]]) -> None:
        self._database = database
        self._gathered: dict[int, _Gathered] = {}
        indexed = sa.select(record_keys.c.record).where(
            record_keys.c.listing == sa.bindparam("listing"),
            database.among(record_keys.c.key, sa.bindparam("keys")),
        )
        self._find = sa.select(*columns).where(records.c.id.in_(indexed))
        self._find_gathered = sa.select(*columns).where(
            database.among(records.c.id, sa.bindparam("ids"))
        )
        new, waiting = _between(records.c.id), _between(gathered_keys.c.record)
        self._gather = sa.insert(gathered_keys).from_select(
            ["record", "listing", "key"],
            sa.select(records.c.id, records.c.listing, records.c.key).where(new),
        )
        self._index = _into_index(database, records.c.id, new)
        self._index_gathered = _into_index(database, gathered_keys.c.record, waiting)
        self._clear = sa.delete(gathered_keys).where(waiting)
        self._read = sa.select(gathered_keys.c.key, gathered_keys.c.record).where(waiting)

    def find(self, connection: Connection, listing: int, keys: Sequence[str]) -> list[Any]:
        """Rows of those of these records that there are, in no order."""
        at = {"listing": listing, "keys": self._database.list_of(keys)}
        rows = list(connection.execute(self._find, at).all())
        gathered = self._read_gathered(connection, listing)
        ids = [gathered[key] for key in keys if key in gathered]
        if ids:
            numbers = {"ids": self._database.numbers(ids)}
            rows += connection.execute(self._find_gathered, numbers).all()
        return rows

    def add(self, connection: Connection, listing: int, ids: Mapping[str, int]) -> None:
        """Let new records be found that are stored now.

        Args:
            connection: in the write transaction in which `find` did not find them.
            listing: the number of their listing.
            ids: by key, greater than that of any record before.
        """
        if not ids:
            return
        at = {"first": min(ids.values()), "last": max(ids.values())}
        if len(ids) < FEW:
            connection.execute(self._index, at)
            return
        connection.execute(self._gather, at)
        gathered = self._gathered[listing]
        gathered.ids |= ids
        gathered.last = at["last"]
        if len(gathered.ids) >= GATHERED:
            self.settle(connection, listing)

    def settle(self, connection: Connection, listing: int) -> None:
        """Put the keys of a listing that were gathered into the index."""
        known = self._read_gathered(connection, listing)
        if not known:
            return
        at = _numbers_of(listing)
        connection.execute(self._index_gathered, at)
        connection.execute(self._clear, at)
        known.clear()

    def _read_gathered(self, connection: Connection, listing: int) -> dict[str, int]:
        """Numbers of the records whose keys are gathered; those that others added, too."""
        start, end = record_id(listing, 0), record_id(listing + 1, 0)
        known = self._gathered.get(listing)
        if known is None or known.rollbacks != self._database.rollbacks:
            known = _Gathered({}, start, self._database.rollbacks)
            self._gathered[listing] = known
        at = {"first": known.last + 1, "last": end - 1}
        for key, record in connection.execute(self._read, at).all():
            known.ids[key] = record
            known.last = max(known.last, record)
        return known.ids


def _numbers_of(listing: int) -> Mapping[str, int]:
    return {"first": record_id(listing, 0), "last": record_id(listing + 1, 0) - 1}


def _between(column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return column.between(sa.bindparam("first"), sa.bindparam("last"))


def _into_index(
    database: Database, record: sa.Column[int], which: sa.ColumnElement[bool]
) -> sa.Insert:
    """Put keys of that table into the index."""
    columns = record.table.c
    keys = sa.select(columns.listing, columns.key, record).where(which)
    insert = database.upsert(record_keys).from_select(
        ["listing", "key", "record"], keys.order_by(columns.listing, columns.key)
    )
    # A row that somebody removed by hand has left its key behind.
    statement: sa.Insert = insert.on_conflict_do_update(
        index_elements=["listing", "key"], set_={"record": insert.excluded.record}
    )
    return statement
