"""Where each record's current line lies in its stream's log."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from zimun_connectors.csv.log import Stretch

#: Key, sequence, content hash, start and length of a record's line; length 0: deleted.
Entry = tuple[str, int, str, int, int]

_PAGE = 10_000


class Index:
    """The records of one stream. Nothing here commits.

    Args:
        db: the state's database.
        log: the number of the stream's log in the state.
    """

    def __init__(self, db: sqlite3.Connection, log: int) -> None:
        self._db = db
        self._log = log

    def known(self, source: str, keys: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Sequence and hash of those of the keys that were ever written."""
        select = """
            SELECT json_group_array(json_array(r.key, r.seq, r.hash))
            FROM json_each(?) AS j CROSS JOIN record AS r
            WHERE r.log = ? AND r.source = ? AND r.key = j.value
        """
        (found,) = self._db.execute(select, (_json(keys), self._log, source)).fetchone()
        return {key: (seq, digest) for key, seq, digest in msgspec.json.decode(found)}

    def put(self, source: str, entries: Sequence[Entry]) -> None:
        """Record new lines; those they replace are dead. SQLite likes keys in order best."""
        given, place = _json(sorted(entries)), (self._log, source)
        self._db.execute(
            """
            INSERT INTO dead SELECT r.log, r.start, r.length
            FROM json_each(?) AS j CROSS JOIN record AS r
            WHERE r.log = ? AND r.source = ? AND r.key = j.value ->> 0 AND r.length > 0
            """,
            (given, *place),
        )
        self._db.execute(
            """
            INSERT OR REPLACE INTO record
            SELECT ?, ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
            FROM json_each(?)
            """,
            (*place, given),
        )

    def move(self, places: Sequence[tuple[str, str, int, int]]) -> None:
        """Record where lines lie now: source, key, start and length of each."""
        self._db.execute(
            """
            UPDATE record SET start = j.value ->> 2, length = j.value ->> 3
            FROM json_each(?) AS j
            WHERE log = ? AND source = j.value ->> 0 AND key = j.value ->> 1
            """,
            (_json(places), self._log),
        )

    def dead(self) -> Iterator[Stretch]:
        """Stretches of the log that do not count, in order."""
        select = "SELECT start, length FROM dead WHERE log = ? ORDER BY start"
        yield from self._db.execute(select, (self._log,))

    def dead_size(self) -> int:
        """Bytes of the log that do not count."""
        select = "SELECT coalesce(sum(length), 0) FROM dead WHERE log = ?"
        (size,) = self._db.execute(select, (self._log,)).fetchone()
        return int(size)

    def forget_dead(self) -> None:
        """The log was written anew: all of it counts."""
        self._db.execute("DELETE FROM dead WHERE log = ?", (self._log,))

    def hashes(self, source: str) -> Iterator[tuple[str, str]]:
        """Key and content hash of every record that is not deleted."""
        select = """
            SELECT key, hash FROM record
            WHERE log = ? AND source = ? AND key > ? AND length > 0 ORDER BY key LIMIT ?
        """
        last = ""
        while page := self._db.execute(select, (self._log, source, last, _PAGE)).fetchall():
            yield from page
            last = page[-1][0]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
