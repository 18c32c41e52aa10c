"""Every record that a sink was ever given, in the sink's own SQLite state.

Rows lie in the order of arrival and are found by a checksum of their key. Keys come in no order,
so each batch writes much of whatever index leads to them; one of checksums is a fifth as large as
one of keys (docs/adr/0016).

Whole batches go to SQLite as one JSON text and one statement. Row by row the thread would
give up and fight for Python's global lock each time (ten times slower beside a busy thread).
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from zimun_sync.sinks import Head, StoredChange

_PAGE = 10_000

#: `stream`: its name, or the sink's number for it. An empty hash: deleted.
_TABLE = """
CREATE TABLE record (
    id INTEGER PRIMARY KEY, crc INTEGER, stream, source TEXT, key TEXT, seq INTEGER, hash TEXT{own}
);
"""
_INDEX = "CREATE INDEX record_crc ON record (crc);"
_COLUMNS = "crc, stream, source, key, seq, hash"


class Known(NamedTuple):
    """What is known of a record.

    Args:
        id: its row's number in the table.
        seq: sequence of its latest change, 0 if that was another store's.
        hash: of its content; empty when deleted.
        own: what the sink notes of it.
    """

    id: int
    seq: int
    hash: str
    own: tuple[Any, ...]


def tables(*own: str) -> str:
    """Statements that make the table; `own` names the columns of what the sink notes."""
    return _TABLE.format(own=_further(own)) + _INDEX


def moved(stream: str, *own: str) -> str:
    """Statements that bring over what a former table holds, whose primary key was the key.

    Args:
        stream: what that table calls the column `stream`.
        own: see `tables`.
    """
    return f"""
        ALTER TABLE record RENAME TO former;
        {_TABLE.format(own=_further(own))}
        INSERT INTO record ({_COLUMNS}{_further(own)})
        SELECT crc(key), {stream}, source, key, seq, hash{_further(own)} FROM former;
        {_INDEX}
        DROP TABLE former;
    """  # noqa: S608 - names in code


def crc(key: str) -> int:
    """The checksum, CRC-32, by which a key is found; others may have the same."""
    return crc32(key.encode())


class Records:
    """The records of every stream. Nothing here commits.

    Args:
        db: the state's database.
        own: names of the columns of what the sink notes.
    """

    def __init__(self, db: sqlite3.Connection, *own: str) -> None:
        self._db = db
        noted = "".join(f", r.{name}" for name in own)
        self._select = f"""
            SELECT json_group_array(json_array(r.key, r.id, r.seq, r.hash{noted}))
            FROM json_each(?) AS j CROSS JOIN record AS r
            WHERE r.crc = j.value AND r.stream = ? AND r.source = ?
        """  # noqa: S608 - names in code
        values = "".join(f", value ->> {5 + number}" for number in range(len(own)))
        news = ", ".join(f"{name} = excluded.{name}" for name in ("seq", "hash", *own))
        self._upsert = f"""
            INSERT INTO record (id, {_COLUMNS}{_further(own)})
            SELECT value ->> 1, value ->> 0, ?, ?, value ->> 2, value ->> 3, value ->> 4{values}
            FROM json_each(?) WHERE true
            ON CONFLICT (id) DO UPDATE SET {news}
        """  # noqa: S608 - names in code

    def known(self, stream: int | str, source: str, keys: Collection[str]) -> dict[str, Known]:
        """Those of the keys that were ever written."""
        wanted = set(keys)
        asked = as_json(sorted(map(crc, wanted)))
        (found,) = self._db.execute(self._select, (asked, stream, source)).fetchone()
        return {
            key: Known(number, seq, digest, tuple(own))
            for key, number, seq, digest, *own in msgspec.json.decode(found)
            if key in wanted
        }

    def put(
        self,
        stream: int | str,
        source: str,
        heads: Sequence[Head],
        former: Mapping[str, Known],
        *own: Iterable[Any],
    ) -> None:
        """Record the latest state of records. In the index's order, for that takes it best.

        Args:
            stream: their stream.
            source: their source.
            heads: the changes that brought it, one for each record.
            former: what `known` tells of those that it knows, by key.
            own: what the sink notes of them, a column at a time.
        """
        keys = [head.key for head in heads]
        numbers = ((known := former.get(key)) and known.id for key in keys)
        seqs, hashes = zip(*((head.seq, head.hash) for head in heads), strict=True)
        rows = zip(map(crc, keys), numbers, keys, seqs, hashes, *own, strict=True)
        ordered = as_json(sorted(rows, key=itemgetter(0)))
        self._db.execute(self._upsert, (stream, source, ordered))

    def hashes(self, stream: int | str, source: str) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record that is not deleted."""
        select = """
            SELECT id, key, hash FROM record
            WHERE id > ? AND stream = ? AND source = ? AND hash <> '' ORDER BY id LIMIT ?
        """
        last = 0
        while page := self._db.execute(select, (last, stream, source, _PAGE)).fetchall():
            yield from ((key, digest) for _, key, digest in page)
            last = page[-1][0]


def is_news(change: Head | StoredChange, known: Known | None) -> bool:
    """Whether the change comes after what is known of its record, and differs from it."""
    if known is None:
        return bool(change.hash)
    return change.seq >= known.seq and change.hash != known.hash


def as_json(value: Any) -> str:
    """JSON text that SQLite's functions take apart again."""
    return msgspec.json.encode(value).decode()


def _further(names: Sequence[str]) -> str:
    return "".join(f", {name}" for name in names)
