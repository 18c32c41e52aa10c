"""The sink's own durable state in SQLite: whose it is, and what is published or waits for it."""

from dataclasses import dataclass
from typing import Final

from zimun_connectors.common import records
from zimun_connectors.common.state import SinkState

#: Free pages of the database, 4 KiB each, that are worth giving back.
_WORTH_SHRINKING = 4096

#: The part of its stream that holds a record; None: deleted.
PART: Final = "part"

#: `pending`: rows not published yet, as Arrow streams. `leaving`: records that left a part, or
#: changed within it, since the latest version. `file`: the files of the latest version.
#: `version`: those on the disk, and when each was replaced, microseconds since the epoch.
_TABLES = """
CREATE TABLE stream (id INTEGER PRIMARY KEY, name TEXT UNIQUE, dated INTEGER, form TEXT);
CREATE TABLE pending (
    stream INTEGER, part TEXT, stamp INTEGER, rows BLOB, PRIMARY KEY (stream, part, stamp)
);
CREATE TABLE leaving (
    stream INTEGER, part TEXT, source TEXT, key TEXT, stamp INTEGER,
    PRIMARY KEY (stream, part, source, key)
) WITHOUT ROWID;
CREATE TABLE file (
    stream INTEGER, part TEXT, name TEXT, rows INTEGER, size INTEGER, PRIMARY KEY (stream, part)
);
CREATE TABLE version (number INTEGER PRIMARY KEY, replaced_at INTEGER);
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What is recorded of a stream.

    Args:
        id: its number in the state.
        dated: whether it is split by months, as it was when first seen.
        form: columns and spelling of its published files; empty before the first.
    """

    id: int
    dated: bool
    form: str


class State(SinkState):
    """The database; see `SinkState`."""

    tables = _TABLES + records.tables(PART)
    steps = (records.moved("stream", PART),)
    at_birth = ("auto_vacuum = INCREMENTAL",)  # a first load leaves much room, see `shrink`

    def shrink(self) -> None:
        """Give the disk back what published rows took here, where that is much."""
        (free,) = self.db.execute("PRAGMA freelist_count").fetchone()
        if free > _WORTH_SHRINKING:
            self.db.executescript("PRAGMA incremental_vacuum")  # `execute` stops after a page

    def rewrite(self) -> None:
        """Write the database anew: its free pages and its log keep rows that waited here."""
        self.db.execute("VACUUM")
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- streams -------------------------------------------------------------------------

    def stream(self, name: str, *, dated: bool) -> Held:
        """What is recorded of the stream; a new one is split by months if `dated`."""
        self.db.execute(
            "INSERT INTO stream (name, dated, form) VALUES (?, ?, '') ON CONFLICT DO NOTHING",
            (name, dated),
        )
        select = "SELECT id, dated, form FROM stream WHERE name = ?"
        number, split, form = self.db.execute(select, (name,)).fetchone()
        return Held(number, bool(split), form)

    def set_form(self, stream: int, form: str) -> None:
        """Record how the stream's files are spelled, within the caller's transaction."""
        self.db.execute("UPDATE stream SET form = ? WHERE id = ?", (form, stream))

    def names(self) -> dict[int, str]:
        """Every stream's name by its number."""
        return dict(self.db.execute("SELECT id, name FROM stream").fetchall())
