"""What the state records of each stream's log and of the file that readers see."""

import sqlite3
from dataclasses import dataclass

import msgspec

from zimun_connectors.csv.format import column_forms
from zimun_sync.model import Stream

_COLUMNS = "id, number, size, columns, version, published, published_size, published_as"


@dataclass(frozen=True, slots=True)
class Extent:
    """One stream's log and published file.

    Args:
        id: of the log in the state.
        number: of the log's file; grows when the log is written anew.
        size: bytes of the log that count; what follows was never acknowledged.
        columns: the columns its lines have, as `column_forms` tells them.
        version: grows with every change of content.
        published: the version that readers see, -1 before the first.
        published_size: bytes of the published file.
        published_as: how the published file is spelled.
    """

    id: int
    number: int
    size: int
    columns: tuple[str, ...]
    version: int
    published: int
    published_size: int
    published_as: str


def load(db: sqlite3.Connection, stream: Stream) -> Extent:
    """What is recorded of the stream; its log begins empty."""
    names = msgspec.json.encode(column_forms(stream)).decode()
    db.execute(
        "INSERT INTO log (stream, number, size, columns, version, published, published_size,"
        " published_as) VALUES (?, 0, 0, ?, 0, -1, 0, '') ON CONFLICT DO NOTHING",
        (stream.name, names),
    )
    found = db.execute(f"SELECT {_COLUMNS} FROM log WHERE stream = ?", (stream.name,))  # noqa: S608 - constant
    number, file, size, columns, *rest = found.fetchone()
    return Extent(number, file, size, tuple(msgspec.json.decode(columns)), *rest)


def save(db: sqlite3.Connection, extent: Extent) -> None:
    """Record it; the caller commits."""
    db.execute(
        "UPDATE log SET number = ?, size = ?, columns = ?, version = ?, published = ?,"
        " published_size = ?, published_as = ? WHERE id = ?",
        (
            extent.number,
            extent.size,
            msgspec.json.encode(extent.columns).decode(),
            extent.version,
            extent.published,
            extent.published_size,
            extent.published_as,
            extent.id,
        ),
    )
