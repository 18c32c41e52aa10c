"""Every record the sink was ever given: how new it is, and where its row lies.

Whole batches go to SQLite as one JSON text and one statement. Row by row the thread would
give up and fight for Python's global lock each time.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

_PAGE = 10_000


class Known(NamedTuple):
    """What is known of a record.

    Args:
        seq: sequence of its latest change, 0 if that was another store's.
        hash: of its content; empty when deleted.
        part: the part of its stream that holds it; None when deleted.
    """

    seq: int
    hash: str
    part: str | None


#: Key, sequence, hash and part of a record.
Entry = tuple[str, int, str, str | None]


class Records:
    """The records of every stream. Nothing here commits.

    Args:
        db: the state's database.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def known(self, stream: int, source: str, keys: Sequence[str]) -> dict[str, Known]:
        """Those of the keys that were ever written."""
        select = """
            SELECT json_group_array(json_array(r.key, r.seq, r.hash, r.part))
            FROM json_each(?) AS j CROSS JOIN record AS r
            WHERE r.stream = ? AND r.source = ? AND r.key = j.value
        """
        given = as_json(sorted(keys))
        (found,) = self._db.execute(select, (given, stream, source)).fetchone()
        return {key: Known(*rest) for key, *rest in msgspec.json.decode(found)}

    def put(self, stream: int, source: str, entries: Sequence[Entry]) -> None:
        """Record the latest state of records. In order, for a B-tree takes that best."""
        self._db.execute(
            """
            INSERT OR REPLACE INTO record
            SELECT ?, ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)
            """,
            (stream, source, as_json(sorted(entries, key=lambda entry: entry[0]))),
        )

    def hashes(self, stream: int, source: str) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record that is not deleted."""
        select = """
            SELECT key, hash FROM record
            WHERE stream = ? AND source = ? AND key > ? AND part IS NOT NULL
            ORDER BY key LIMIT ?
        """
        last = ""
        while page := self._db.execute(select, (stream, source, last, _PAGE)).fetchall():
            yield from page
            last = page[-1][0]


def as_json(value: Any) -> str:
    """JSON text that SQLite's functions take apart again."""
    return msgspec.json.encode(value).decode()
