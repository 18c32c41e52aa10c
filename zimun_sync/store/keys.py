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

from zimun_sync.errors import StoreError
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


def of_keys(database: Database, listing: int, keys: Any) -> sa.ColumnElement[bool]:
    """Whether a row of `records` has one of these keys.

    Args:
        database: the store's connections.
        listing: the number of their listing.
        keys: as `Database.among` takes them.
    """
    indexed = sa.select(record_keys.c.record).where(
        record_keys.c.listing == listing, database.among(record_keys.c.key, keys)
    )
    numbers = _numbers_of(listing)
    gathered = sa.select(gathered_keys.c.record).where(
        gathered_keys.c.record.between(numbers["first"], numbers["last"]),
        database.among(gathered_keys.c.key, keys),
    )
    return records.c.id.in_(sa.union_all(indexed, gathered))


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
        indexed, gathered = record_keys.c, gathered_keys.c
        among_keys = database.among(indexed.key, sa.bindparam("keys"))
        self._find = _rows_at(record_keys, columns).where(
            indexed.listing == sa.bindparam("listing"), among_keys
        )
        self._find_gathered = _rows_at(gathered_keys, columns).where(
            database.among(gathered.record, sa.bindparam("ids"))
        )
        self._unindex = sa.delete(record_keys).where(
            indexed.listing == sa.bindparam("at_listing"), indexed.key == sa.bindparam("at_key")
        )
        self._ungather = sa.delete(gathered_keys).where(gathered.record == sa.bindparam("at"))
        new, waiting = _between(records.c.id), _between(gathered.record)
        self._gather = _insert(
            gathered_keys,
            sa.select(records.c.id, records.c.listing, records.c.key).where(new),
            ("record", "listing", "key"),
        )
        self._index = _insert(record_keys, _in_order(records.c.id).where(new))
        self._index_gathered = _insert(record_keys, _in_order(gathered.record).where(waiting))
        self._clear = sa.delete(gathered_keys).where(waiting)
        self._read = sa.select(gathered.key, gathered.record).where(waiting)

    def find(self, connection: Connection, listing: int, keys: Sequence[str]) -> list[Any]:
        """Rows of those of these records that there are, in no order.

        A key that leads to no record of its own, as when somebody removed one by hand, is
        forgotten.
        """
        at = {"listing": listing, "keys": self._database.list_of(keys)}
        found = connection.execute(self._find, at).all()
        lost = [key for key, _, record, *_ in found if record is None]
        if lost:
            astray = [{"at_listing": listing, "at_key": key} for key in lost]
            connection.execute(self._unindex, astray)
        gathered = self._read_gathered(connection, listing)
        ids = [gathered[key] for key in keys if key in gathered]
        if ids:
            found = [*found, *self._look_up(connection, gathered, ids)]
        return [columns for _, _, record, *columns in found if record is not None]

    def _look_up(
        self, connection: Connection, gathered: dict[str, int], ids: Sequence[int]
    ) -> Sequence[Any]:
        at = {"ids": self._database.numbers(ids)}
        found = connection.execute(self._find_gathered, at).all()
        lost = [(key, place) for key, place, record, *_ in found if record is None]
        if lost:
            connection.execute(self._ungather, [{"at": place} for _, place in lost])
            for key, _ in lost:
                gathered.pop(key, None)
        return found

    def add(self, connection: Connection, listing: int, ids: Mapping[str, int]) -> None:
        """Let new records be found that are stored now.

        Args:
            connection: in the write transaction in which `find` did not find them.
            listing: the number of their listing.
            ids: by key, greater than that of any record before.

        Raises:
            StoreError: the database has been put back to an earlier moment.
        """
        if not ids:
            return
        at, gathered = {"first": min(ids.values()), "last": max(ids.values())}, self._gathered
        if at["first"] <= gathered[listing].last:
            raise StoreError(
                "The state was put back to an earlier moment while this process works on it.",
                hint="Nothing was written. Let it try again.",
            )
        if len(ids) < FEW:
            connection.execute(self._index, at)
            return
        connection.execute(self._gather, at)
        gathered[listing].ids |= ids
        gathered[listing].last = at["last"]
        if len(gathered[listing].ids) >= GATHERED:
            self.settle(connection, listing)

    def settle(self, connection: Connection, listing: int) -> None:
        """Put the keys of a listing that were gathered into the index."""
        gathered = self._read_gathered(connection, listing)
        if not gathered:
            return
        at = _numbers_of(listing)
        connection.execute(self._index_gathered, at)
        connection.execute(self._clear, at)
        gathered.clear()

    def _read_gathered(self, connection: Connection, listing: int) -> dict[str, int]:
        """Numbers of the records whose keys are gathered; those that others added, too."""
        numbers = _numbers_of(listing)
        known = self._gathered.get(listing)
        if known is None or known.rollbacks != self._database.rollbacks:
            known = _Gathered({}, numbers["first"] - 1, self._database.rollbacks)
            self._gathered[listing] = known
        at = numbers | {"first": known.last + 1}
        for key, record in connection.execute(self._read, at).all():
            known.ids[key] = record
            known.last = max(known.last, record)
        return known.ids


def _numbers_of(listing: int) -> dict[str, int]:
    return {"first": record_id(listing, 0), "last": record_id(listing + 1, 0) - 1}


def _between(column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    return column.between(sa.bindparam("first"), sa.bindparam("last"))


def _rows_at(table: sa.Table, columns: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    """Keys of that table, and the record that each leads to; null where it is not its own."""
    own = sa.and_(
        records.c.id == table.c.record,
        records.c.listing == table.c.listing,
        records.c.key == table.c.key,
    )
    place = (table.c.key, table.c.record, records.c.id)
    return sa.select(*place, *columns).select_from(table.outerjoin(records, own))


def _in_order(record: sa.Column[int]) -> sa.Select[Any]:
    """Keys of that table in the order of the index, and their records' numbers."""
    columns = record.table.c
    return sa.select(columns.listing, columns.key, record).order_by(columns.listing, columns.key)


def _insert(
    table: sa.Table, rows: sa.Select[Any], names: Sequence[str] = ("listing", "key", "record")
) -> sa.Insert:
    """Put rows into a table; as with records, SQLite keeps nothing for taking back only this."""
    insert = sa.insert(table).from_select(names, rows)
    return insert.prefix_with("OR ROLLBACK", dialect="sqlite")
