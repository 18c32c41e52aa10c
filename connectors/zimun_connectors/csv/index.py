"""Where each record's current line lies in its stream's log."""

import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from zimun_connectors.csv.log import Stretch

#: Key, sequence, content hash, start and length of a record's line; length 0: deleted.
Entry = tuple[str, int, str, int, int]

#: Source, key, start and length of a line that moves.
Place = tuple[str, str, int, int]

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
        given = _json(sorted(keys))
        (found,) = self._db.execute(select, (given, self._log, source)).fetchone()
        return {key: (seq, digest) for key, seq, digest in msgspec.json.decode(found)}

    def bury(self, source: str, keys: Sequence[str]) -> None:
        """Record that the present lines of these keys are dead."""
        self._db.execute(
            """
            INSERT INTO dead SELECT r.log, r.start, r.length
            FROM json_each(?) AS j CROSS JOIN record AS r
            WHERE r.log = ? AND r.source = ? AND r.key = j.value AND r.length > 0
            """,
            (_json(keys), self._log, source),
        )

    def put(self, source: str, entries: Sequence[Entry]) -> None:
        """Record where lines lie. In order, for a B-tree takes that best."""
        self._db.execute(
            """
            INSERT OR REPLACE INTO record
            SELECT ?, ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
            FROM json_each(?)
            """,
            (self._log, source, _json(sorted(entries))),
        )

    def move(self, places: Sequence[Place]) -> None:
        """Record where lines lie now."""
        self._db.execute(
            """
            INSERT OR REPLACE INTO record
            SELECT r.log, r.source, r.key, r.seq, r.hash, j.value ->> 2, j.value ->> 3
            FROM json_each(?) AS j CROSS JOIN record AS r
            WHERE r.log = ? AND r.source = j.value ->> 0 AND r.key = j.value ->> 1
            """,
            (_json(sorted(places)), self._log),
        )

    def close_up(self) -> None:
        """Record where lines lie once the dead stretches between them are left out."""
        self._db.execute(
            """
            WITH lying (source, key, start, dead) AS (
                SELECT source, key, start, 0 FROM record WHERE log = :log AND length > 0
                UNION ALL
                SELECT NULL, NULL, start, length FROM dead WHERE log = :log
            ), moved AS (
                SELECT source, key, start - sum(dead) OVER (ORDER BY start) AS start FROM lying
                ORDER BY source, key
            )
            UPDATE record SET start = moved.start FROM moved
            WHERE record.log = :log
                AND record.source = moved.source AND record.key = moved.key
            """,
            {"log": self._log},
        )

    def dead(self) -> Iterator[Stretch]:
        """Stretches of the log that do not count, in order.

        All are read before this returns: Arrow goes through them in a thread of its own, which
        must not share the database with ours.
        """
        starts, lengths = array("q"), array("q")
        select = "SELECT start, length FROM dead WHERE log = ? ORDER BY start"
        for start, length in self._db.execute(select, (self._log,)):
            starts.append(start)
            lengths.append(length)
        return zip(starts, lengths, strict=True)

    def longest(self) -> int:
        """The longest line that counts, bytes."""
        select = "SELECT coalesce(max(length), 0) FROM record WHERE log = ?"
        (length,) = self._db.execute(select, (self._log,)).fetchone()
        return int(length)

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
