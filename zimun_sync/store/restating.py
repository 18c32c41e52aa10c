"""Bringing past versions to the rules and promotions of today."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import Stream
from zimun_sync.normalize import Normalized, Normalizer, pack_row, unpack_row
from zimun_sync.normalize.promotions import Promoter, restated
from zimun_sync.store.database import Database
from zimun_sync.store.merging import draw_seqs
from zimun_sync.store.schema import history

#: Records whose past is gone through in one transaction.
_AT_ONCE: Final = 500
_KEY: Final = tuple(history.primary_key.columns)


def restated_row(stream: Stream, packed: bytes, promoter: Promoter) -> bytes:
    """A packed row with the promotions of today; the same bytes where nothing is to be done."""
    row = unpack_row(packed)
    again = restated(stream, row, promoter)
    return packed if again is row else pack_row(again)


class PastRows:
    """Rewrites rows of history, inside transactions that someone else owns.

    Args:
        database: the store's connections.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        these = [column == sa.bindparam(f"at_{column.name}") for column in _KEY]
        self._update = sa.update(history).where(*these).values(row=sa.bindparam("new_row"))
        self._stamp = (
            sa.update(history)
            .where(history.c.listing == sa.bindparam("at"), history.c.key == sa.bindparam("of"))
            .values(seq=sa.bindparam("new_seq"))
        )

    def restate(
        self,
        connection: Connection,
        source: str,
        listing: int,
        normalizer: Normalizer,
        after: str,
    ) -> str | None:
        """Go through the past of the next records.

        Returns:
            The last one's key, to go on after; None when there are no more.
        """
        keys = self._keys(connection, listing, after)
        if not keys:
            return None
        rows = self._rows(connection, listing, keys)
        again = zip(rows, _again(normalizer, rows), strict=True)
        changed = [(row, new) for row, new in again if new != row.row]
        self._write(connection, source, listing, changed)
        return keys[-1]

    def _keys(self, connection: Connection, listing: int, after: str) -> Sequence[str]:
        query = (
            sa.select(history.c.key)
            .where(history.c.listing == listing, history.c.key > after)
            .distinct()
            .order_by(history.c.key)
            .limit(_AT_ONCE)
        )
        return connection.execute(query).scalars().all()

    def _rows(self, connection: Connection, listing: int, keys: Sequence[str]) -> Sequence[Any]:
        query = sa.select(*_KEY, history.c.row, history.c.raw).where(
            history.c.listing == listing,
            history.c.key >= keys[0],
            history.c.key <= keys[-1],
        )
        return connection.execute(query).all()

    def _write(
        self,
        connection: Connection,
        source: str,
        listing: int,
        changed: Sequence[tuple[Any, bytes]],
    ) -> None:
        """Write the rows, and have the past of their records delivered anew."""
        if not changed:
            return
        rows = [
            {f"at_{column.name}": getattr(row, column.name) for column in _KEY} | {"new_row": new}
            for row, new in changed
        ]
        connection.execute(self._update, rows)
        keys = sorted({row.key for row, _ in changed})
        first = draw_seqs(connection, source, len(keys)) - len(keys) + 1
        stamps = [
            {"at": listing, "of": key, "new_seq": seq} for seq, key in enumerate(keys, start=first)
        ]
        connection.execute(self._stamp, stamps)


def _again(normalizer: Normalizer, rows: Sequence[Any]) -> list[bytes]:
    """The rows by the present rules; where no raw content is kept, only their promotions."""
    found = iter(normalizer.normalize_each([row.raw for row in rows if row.raw]))
    return [
        _unless_refused(row, next(found))
        if row.raw
        else restated_row(normalizer.stream, row.row, normalizer.promoter)
        for row in rows
    ]


def _unless_refused(row: Any, found: Normalized | RecordInvalid) -> bytes:
    return bytes(row.row) if isinstance(found, RecordInvalid) else found.row
