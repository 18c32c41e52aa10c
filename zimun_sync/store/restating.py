"""Bringing past versions to the rules and promotions of today."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.errors import RecordInvalid
from zimun_sync.normalize import Normalized, Normalizer, Scrubber, hash_of, pack_row, unpack_row
from zimun_sync.normalize.promotions import restated
from zimun_sync.store.database import Database
from zimun_sync.store.forgettings import remember
from zimun_sync.store.merging import draw_seqs
from zimun_sync.store.schema import history

#: Records whose past is gone through in one transaction.
_AT_ONCE: Final = 500
_KEY: Final = tuple(history.primary_key.columns)


class _Past(NamedTuple):
    """What may become another in a past version."""

    hash: bytes
    row: bytes
    raw: bytes | None


def restated_row(normalizer: Normalizer, key: str, packed: bytes) -> bytes:
    """A packed row whose raw content is not at hand, with the promotions of today.

    What is about people who asked to be forgotten leaves it. The same bytes where nothing is to
    be done.
    """
    row = unpack_row(packed)
    again = restated(normalizer.stream, normalizer.scrubber.row(key, row), normalizer.promoter)
    return packed if again is row else pack_row(again)


def owned(scrubber: Scrubber, rows: Iterable[Any]) -> list[bytes]:
    """What stands for those of these records that were theirs, as they were stored."""
    theirs = {row.key for row in rows if scrubber.owns(row.key, row.raw, unpack_row(row.row))}
    return scrubber.digests(sorted(theirs))


class PastRows:
    """Rewrites rows of history, inside transactions that someone else owns.

    Args:
        database: the store's connections.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        these = [column == sa.bindparam(f"at_{column.name}") for column in _KEY]
        news: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in _Past._fields}
        self._update = sa.update(history).where(*these).values(news)
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
        changed = [(row, new) for row, new in again if new != _past(row)]
        self._write(connection, source, listing, changed)
        if normalizer.scrubber:
            scrubbed = [row for row, new in changed if new.hash != row.hash or not row.raw]
            held = sorted({row.key for row in scrubbed})
            at = (source, normalizer.stream.name)
            remember(self._database, connection, at, held, owned(normalizer.scrubber, scrubbed))
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
        changed: Sequence[tuple[Any, _Past]],
    ) -> None:
        """Write the rows, and have the past of their records delivered anew."""
        if not changed:
            return
        rows = [
            {f"at_{column.name}": getattr(row, column.name) for column in _KEY}
            | {f"new_{name}": value for name, value in new._asdict().items()}
            for row, new in changed
        ]
        connection.execute(self._update, rows)
        keys = sorted({row.key for row, _ in changed})
        first = draw_seqs(connection, source, len(keys)) - len(keys) + 1
        stamps = [
            {"at": listing, "of": key, "new_seq": seq} for seq, key in enumerate(keys, start=first)
        ]
        connection.execute(self._stamp, stamps)


def _again(normalizer: Normalizer, rows: Sequence[Any]) -> list[_Past]:
    """The versions by the present rules; where no raw content is kept, only their promotions."""
    raws = normalizer.scrubber.items([row.raw for row in rows if row.raw])
    found = zip(raws, normalizer.normalize_each(raws), strict=True)
    again = [
        _unless_refused(normalizer, row, *next(found))
        if row.raw
        else _past(row)._replace(row=restated_row(normalizer, row.key, row.row))
        for row in rows
    ]
    return _apart(rows, again)


def _past(row: Any) -> _Past:
    return _Past(row.hash, row.row, row.raw)


def _unless_refused(
    normalizer: Normalizer, row: Any, raw: bytes, found: Normalized | RecordInvalid
) -> _Past:
    if isinstance(found, Normalized):
        return _Past(row.hash if raw == row.raw else found.hash, found.row, raw)
    if raw == row.raw:
        return _past(row)
    return _Past(hash_of(raw), restated_row(normalizer, row.key, row.row), raw)


def _apart(rows: Sequence[Any], again: Sequence[_Past]) -> list[_Past]:
    """Versions that differed only in what was scrubbed stay several: their ids were delivered."""
    taken = {_place(row, row.hash) for row in rows}
    found = []
    for row, new in zip(rows, again, strict=True):
        content = new.hash
        while content != row.hash and _place(row, content) in taken:
            content = hash_of(content)
        taken.add(_place(row, content))
        found.append(new._replace(hash=content))
    return found


def _place(row: Any, content: bytes) -> tuple[Any, ...]:
    return row.key, row.correction, row.version, content
