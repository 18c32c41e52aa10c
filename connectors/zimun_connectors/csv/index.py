"""Where each record's current line lies in its stream's log."""

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

from zimun_connectors.common.records import Known, Records, as_json, crc
from zimun_connectors.csv.log import Stretch
from zimun_connectors.csv.state import PLACE
from zimun_sync.sinks import Head

#: Source, key, start and length of a line that moves.
Place = tuple[str, str, int, int]


class Index:
    """The records of one stream. Nothing here commits.

    Args:
        db: the state's database.
        log: the number of the stream's log in the state.
    """

    def __init__(self, db: sqlite3.Connection, log: int) -> None:
        self._db = db
        self._log = log
        self._records = Records(db, *PLACE)

    def known(self, source: str, keys: Sequence[str]) -> dict[str, Known]:
        """Those of the keys that were ever written."""
        return self._records.known(self._log, source, keys)

    def bury(self, lines: Iterable[Known]) -> None:
        """Record that these lines are dead."""
        self._db.execute(
            """
            INSERT INTO dead SELECT ?, value ->> 0, value ->> 1
            FROM json_each(?) WHERE value ->> 1 > 0
            """,
            (self._log, as_json([line.own for line in lines])),
        )

    def put(
        self,
        source: str,
        heads: Sequence[Head],
        former: Mapping[str, Known],
        *places: Iterable[int],
    ) -> None:
        """Record where lines lie: their starts and lengths; see `Records.put`."""
        self._records.put(self._log, source, heads, former, *places)

    def move(self, places: Iterable[Place]) -> None:
        """Record where lines lie now."""
        asked = sorted((crc(place[1]), *place) for place in places)
        self._db.execute(
            """
            WITH moved (id, start, length) AS (
                SELECT r.id, j.value ->> 3, j.value ->> 4
                FROM json_each(?) AS j CROSS JOIN record AS r
                WHERE r.crc = j.value ->> 0 AND r.stream = ?
                    AND r.source = j.value ->> 1 AND r.key = j.value ->> 2
                ORDER BY r.id
            )
            UPDATE record SET start = moved.start, length = moved.length
            FROM moved WHERE record.id = moved.id
            """,
            (as_json(asked), self._log),
        )

    def close_up(self) -> None:
        """Record where lines lie once the dead stretches between them are left out."""
        self._db.execute(
            """
            WITH lying (id, start, dead) AS (
                SELECT id, start, 0 FROM record WHERE stream = :log AND length > 0
                UNION ALL
                SELECT NULL, start, length FROM dead WHERE log = :log
            ), moved AS (
                SELECT id, start - sum(dead) OVER (ORDER BY start) AS start FROM lying
                ORDER BY id
            )
            UPDATE record SET start = moved.start FROM moved WHERE record.id = moved.id
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
        select = "SELECT coalesce(max(length), 0) FROM record WHERE stream = ?"
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
        return self._records.hashes(self._log, source)
