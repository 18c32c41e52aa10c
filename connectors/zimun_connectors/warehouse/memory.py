"""What the sink remembers of the dataset, in SQLite: each record's sequence and hash.

It spares the warehouse a query for every batch. It says nothing that the dataset does not say
too, so it can be read from there when it is lost.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from zimun_connectors.common import records
from zimun_connectors.common.records import Records, crc, is_news
from zimun_connectors.common.state import SinkState
from zimun_sync.sinks import StoredChange
from zimun_sync.stored import chosen, heads

#: `claim`: what all this belongs to.
_TABLES: Final = """
CREATE TABLE claim (id TEXT NOT NULL, place TEXT NOT NULL);
"""

_FOUND: Final = """
CREATE TEMP TABLE IF NOT EXISTS found (
    crc INTEGER, source TEXT, key TEXT, seq INTEGER, hash TEXT
)
"""

# By number: of a pair, SQLite would go through all that was found for each one that was not.
_FORGET_MISSING: Final = """
    DELETE FROM record
    WHERE stream = :stream AND source = coalesce(:source, source) AND hash <> ''
        AND id NOT IN (
            SELECT r.id FROM found AS f CROSS JOIN record AS r
            WHERE r.crc = f.crc AND r.stream = :stream AND r.source = f.source AND r.key = f.key
        )
"""

# A row that differs from what was written there takes the next delivery, whatever its sequence.
# A key that the dataset has twice is one record.
_TAKE_FOUND: Final = """
    INSERT OR REPLACE INTO record (id, crc, stream, source, key, seq, hash)
    SELECT
        r.id, f.crc, :stream, f.source, f.key,
        CASE WHEN r.hash = f.hash THEN r.seq ELSE f.seq END, f.hash
    FROM (SELECT crc, source, key, max(seq) AS seq, hash FROM found GROUP BY source, key) AS f
    LEFT JOIN record AS r
        ON r.crc = f.crc AND r.stream = :stream AND r.source = f.source AND r.key = f.key
"""


class Held(NamedTuple):
    """A row of the dataset, as much of it as is remembered."""

    source: str
    key: str
    seq: int
    hash: str


class Memory(SinkState):
    """The database; see `SinkState`."""

    tables = _TABLES + records.tables()
    steps = (records.moved("stream"),)

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._records = Records(self.db)

    # -- what it belongs to --------------------------------------------------------------

    def claimed(self, place: str) -> str | None:
        """The claim that the memory belongs to, if it is about that place at all."""
        found = self.db.execute("SELECT id FROM claim WHERE place = ?", (place,)).fetchone()
        return found[0] if found else None

    def begin(self, claim: str, place: str, store_id: str) -> None:
        """Belong to that claim, and know nothing yet; within the caller's transaction."""
        for table in ("record", "position", "claim", "identity"):
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - names above
        self.renew(claim, place)
        self.claim(store_id)

    def renew(self, claim: str, place: str) -> None:
        """Belong to that claim, with all that is known; within the caller's transaction."""
        self.db.execute("DELETE FROM claim")
        self.db.execute("INSERT INTO claim VALUES (?, ?)", (claim, place))

    # -- records -------------------------------------------------------------------------

    def news(self, stream: str, source: str, stored: Sequence[StoredChange]) -> list[StoredChange]:
        """Those of the changes that come after what is known, and differ from it."""
        offered = heads(stored)
        known = self._records.known(stream, source, [head.key for head in offered])
        which = [is_news(head, known.get(head.key)) for head in offered]
        return list(chosen(stored, which))

    def put(self, stream: str, source: str, changes: Sequence[StoredChange]) -> None:
        """Remember what was written; within the caller's transaction."""
        written = heads(changes)
        if written:
            known = self._records.known(stream, source, [head.key for head in written])
            self._records.put(stream, source, written, known)

    def recall(self, stream: str, source: str | None, parts: Iterable[Sequence[Held]]) -> None:
        """Believe the dataset rather than the memory.

        Args:
            stream: its name.
            source: the source that was asked for; None for all of them.
            parts: the dataset's rows.
        """
        self.db.execute(_FOUND)
        self.db.execute("DELETE FROM found")
        with self.transaction():
            for part in parts:
                rows = ((crc(held.key), *held) for held in part)
                self.db.executemany("INSERT INTO found VALUES (?, ?, ?, ?, ?)", rows)
            place = {"stream": stream, "source": source}
            self.db.execute(_FORGET_MISSING, place)
            self.db.execute(_TAKE_FOUND, place)

    def recalled(self) -> Iterator[tuple[str, str]]:
        """Key and hash of every row that the dataset had at the latest `recall`."""
        yield from self.db.execute("SELECT key, hash FROM found")

    def recall_positions(self) -> None:
        """Take the records' greatest sequences for how far each stream came."""
        with self.transaction():
            self.db.execute(
                """
                INSERT OR REPLACE INTO position
                SELECT source, stream, max(seq) FROM record GROUP BY source, stream
                """
            )
