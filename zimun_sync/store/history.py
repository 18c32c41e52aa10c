"""Keeping versions that do not stand: those that were superseded, and those that came late."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.database import Database
from zimun_sync.store.schema import history, records

_NAMES: Final = [column.name for column in history.columns]
#: What a version keeps of the record's row as it stood.
_KEPT: Final = [name for name in _NAMES if name in records.columns]
#: The order of versions, the time first.
_RANK: Final = ("version", "correction", "deleted", "hash")
#: What makes two versions the same; a correction does not make it another.
_SAME: Final = ("listing", "key", "version", "hash")


class History:
    """Writes past versions, inside a transaction that someone else owns.

    Args:
        database: the store's connections.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._add = database.upsert(history).values(dict.fromkeys(_NAMES)).on_conflict_do_nothing()
        at_key = (history.c.listing == sa.bindparam("at"), history.c.key == sa.bindparam("of"))
        self._stamp = sa.update(history).where(*at_key).values(seq=sa.bindparam("new_seq"))
        self._supersede = _supersede(database)

    def supersede(self, connection: Connection, ids: Collection[int], now: int) -> None:
        """Keep the versions that are about to be replaced; `follow` gives them their sequence.

        Args:
            connection: in a transaction.
            ids: numbers of their records.
            now: the store's clock, microseconds.
        """
        if ids:
            which = {"ids": self._database.numbers(ids), "now": now}
            connection.execute(self._supersede, which)

    def follow(self, connection: Connection, listing: int, seqs: Mapping[str, int]) -> None:
        """Let the past of these records be read anew: what stands after it has changed.

        Args:
            connection: in a transaction.
            listing: the number of their listing.
            seqs: sequences of what stands now, by key.
        """
        if seqs:
            stamps = [{"at": listing, "of": key, "new_seq": seq} for key, seq in seqs.items()]
            connection.execute(self._stamp, stamps)

    def unknown(
        self, connection: Connection, rows: Sequence[tuple[Any, ...]]
    ) -> list[tuple[Any, ...]]:
        """Those of these rows of `history` that it does not hold yet."""
        return [row for row in rows if not self._holds(connection, row)]

    def _holds(self, connection: Connection, row: tuple[Any, ...]) -> bool:
        values = dict(zip(_NAMES, row, strict=True))
        same = [history.c[name] == values[name] for name in _SAME]
        return connection.execute(sa.select(sa.literal(1)).where(*same)).first() is not None

    def add_late(
        self, connection: Connection, rows: Sequence[tuple[Any, ...]], ids: Mapping[str, int]
    ) -> None:
        """Put versions that came late at their place, each with a sequence of its own.

        A content that stood before and after one of them, as far as was known, turns out to
        have come back: from now on it counts as two versions.

        Args:
            connection: in a transaction.
            rows: of `history`, at most one a record.
            ids: numbers of their records, by key.
        """
        if not rows:
            return
        for row in rows:
            self._split(connection, dict(zip(_NAMES, row, strict=True)), ids)
        self._database.insert_many(connection, self._add, rows)
        at, of, seq = (_NAMES.index(name) for name in ("listing", "key", "seq"))
        stamps = [{"at": row[at], "of": row[of], "new_seq": row[seq]} for row in rows]
        connection.execute(self._stamp, stamps)

    def _split(self, connection: Connection, late: dict[str, Any], ids: Mapping[str, int]) -> None:
        key = history.c.key == late["key"]
        for table, at in (
            (records, records.c.id == ids[late["key"]]),
            (history, sa.and_(history.c.listing == late["listing"], key)),
        ):
            around = (
                at,
                table.c.hash != late["hash"],
                table.c.since < late["version"],
                _comes_after(table, late),
            )
            self._copy_first_sight(connection, table, around, late)
            connection.execute(sa.update(table).where(*around).values(since=table.c.version))

    def _copy_first_sight(
        self,
        connection: Connection,
        table: sa.Table,
        around: tuple[sa.ColumnElement[bool], ...],
        late: dict[str, Any],
    ) -> None:
        chosen = {name: table.c[name] for name in _KEPT} | {"version": table.c.since}
        since = sa.literal(late["superseded_at"])
        before = sa.select(*chosen.values(), since, sa.false()).where(*around)
        copy = self._database.upsert(history).from_select(
            [*chosen, "superseded_at", "pruned"], before
        )
        connection.execute(copy.on_conflict_do_nothing())


def _supersede(database: Database) -> sa.Insert:
    """Copy the versions of records as they stand."""
    standing = (*(records.c[name] for name in _KEPT), sa.bindparam("now", type_=sa.BigInteger))
    old = sa.select(*standing, sa.false()).where(database.among(records.c.id, sa.bindparam("ids")))
    keep = database.upsert(history).from_select([*_KEPT, "superseded_at", "pruned"], old)
    statement: sa.Insert = keep.on_conflict_do_nothing()
    return statement


def _comes_after(table: sa.Table, late: dict[str, Any]) -> sa.ColumnElement[bool]:
    """Versions that follow a late one; those of one time have an order too."""
    columns = [table.c[name] for name in _RANK]
    values = [sa.literal(late[each.name], each.type) for each in columns]
    return sa.tuple_(*columns) > sa.tuple_(*values)
