"""Rows that are durable but not published yet, and the rows they take the place of.

Rows wait as Arrow streams, one for each part that a write touches. Each write has a stamp; a
row is outlived when its record left the part, or changed within it, with a later stamp.
Published rows count as older than every stamp.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from zimun_connectors.common.records import as_json

#: Stamp of the rows in the latest version.
PUBLISHED = 0

_SPELLING = pa.ipc.IpcWriteOptions(compression="zstd")

_LATEST = """
    SELECT coalesce(max(stamp), :none)
    FROM (SELECT stamp FROM pending UNION ALL SELECT stamp FROM leaving)
"""

#: Part and key of a record whose row there no longer counts.
Departure = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Outlived:
    """Rows of one part that no longer count.

    Args:
        places: source and key of each, joined by a NUL.
        stamps: of the write that outlived it.
    """

    places: pa.Array
    stamps: pa.Array

    def without(self, rows: pa.Table | pa.RecordBatch, key: str, stamp: int) -> pa.Table:
        """The rows that still count.

        Args:
            rows: rows of the part.
            key: their key column.
            stamp: of the write that brought them.
        """
        later = self.places.filter(pc.greater(self.stamps, stamp))
        if not len(later):
            return rows
        places = pc.binary_join_element_wise(rows["_source"], rows[key], "\0")
        return rows.filter(pc.invert(pc.is_in(places, value_set=later)))


class Pending:
    """What the next version will bring. Nothing here commits.

    Args:
        db: the state's database.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        (latest,) = db.execute(_LATEST, {"none": PUBLISHED}).fetchone()
        self._stamp = int(latest)

    def next_stamp(self) -> int:
        """Stamp of a write that begins; greater than every one before."""
        self._stamp += 1
        return self._stamp

    def add(self, stream: int, stamp: int, part: str, rows: pa.Table) -> None:
        """Have rows wait for publication."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema, options=_SPELLING) as writer:
            writer.write_table(rows)
        insert = "INSERT INTO pending VALUES (?, ?, ?, ?)"
        self._db.execute(insert, (stream, part, stamp, memoryview(sink.getvalue())))

    def leave(self, stream: int, stamp: int, source: str, gone: Sequence[Departure]) -> None:
        """Record that rows written before `stamp` no longer count."""
        self._db.execute(
            """
            INSERT OR REPLACE INTO leaving
            SELECT ?, value ->> 0, ?, value ->> 1, ? FROM json_each(?)
            """,
            (stream, source, stamp, as_json(sorted(gone))),
        )

    def parts(self, stream: int) -> set[str]:
        """Parts of the stream that the latest version does not have right."""
        select = """
            SELECT part FROM pending WHERE stream = :stream
            UNION SELECT part FROM leaving WHERE stream = :stream
        """
        return {part for (part,) in self._db.execute(select, {"stream": stream})}

    def outlived(self, stream: int, part: str) -> Outlived:
        """The rows of that part that no longer count."""
        select = "SELECT source, key, stamp FROM leaving WHERE stream = ? AND part = ?"
        places, stamps = list[str](), list[int]()
        for source, key, stamp in self._db.execute(select, (stream, part)):
            places.append(f"{source}\0{key}")
            stamps.append(stamp)
        return Outlived(pa.array(places, pa.string()), pa.array(stamps, pa.int64()))

    def rows(self, stream: int, part: str) -> Iterator[tuple[int, pa.Table]]:
        """Stamp and rows of each write to that part."""
        select = "SELECT stamp, rows FROM pending WHERE stream = ? AND part = ? ORDER BY stamp"
        for stamp, packed in self._db.execute(select, (stream, part)):
            yield stamp, pa.ipc.open_stream(packed).read_all()

    def clear(self, stream: int) -> None:
        """Everything of the stream is in the latest version."""
        self._db.execute("DELETE FROM pending WHERE stream = ?", (stream,))
        self._db.execute("DELETE FROM leaving WHERE stream = ?", (stream,))
