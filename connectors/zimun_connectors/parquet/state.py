"""The sink's own durable state in SQLite: whose it is, and what is published or waits for it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zimun_sync.errors import SinkBroken

_VERSION = 1

_PRAGMAS = (
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
    "cache_size = -16384",
    "journal_size_limit = 4194304",
)

#: Free pages of the database, 4 KiB each, that are worth giving back.
_WORTH_SHRINKING = 4096

#: `record`: every record ever written, with the part that holds it; no part: deleted.
#: `pending`: rows not published yet, as Arrow streams. `leaving`: records that left a part, or
#: changed within it, since the latest version. `file`: the files of the latest version.
#: `version`: those on the disk, and when each was replaced, microseconds since the epoch.
_SCHEMA = """
CREATE TABLE identity (store_id TEXT NOT NULL);
CREATE TABLE position (source TEXT, stream TEXT, seq INTEGER, PRIMARY KEY (source, stream));
CREATE TABLE stream (id INTEGER PRIMARY KEY, name TEXT UNIQUE, dated INTEGER, form TEXT);
CREATE TABLE record (
    stream INTEGER, source TEXT, key TEXT, seq INTEGER, hash TEXT, part TEXT,
    PRIMARY KEY (stream, source, key)
) WITHOUT ROWID;
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


class State:
    """The database; the caller holds the sink's lock.

    Args:
        path: the file, created if missing.

    Raises:
        SinkBroken: a newer release wrote it.
        sqlite3.Error: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(path)
        except BaseException:
            self.db.close()
            raise

    def _prepare(self, path: Path) -> None:
        if not path.stat().st_size:  # a first load leaves much room behind, see `shrink`
            self.db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        for pragma in _PRAGMAS:
            self.db.execute(f"PRAGMA {pragma}")
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise SinkBroken(
                f"{path} was written by a newer release (its version is {version}).",
                hint="Install that release again, or give the sink another path.",
            )
        if version == 0:
            self.db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")

    def close(self) -> None:
        """Let go of the file; idempotent."""
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable at the end."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def shrink(self) -> None:
        """Give the disk back what published rows took here, where that is much."""
        (free,) = self.db.execute("PRAGMA freelist_count").fetchone()
        if free > _WORTH_SHRINKING:
            self.db.executescript("PRAGMA incremental_vacuum")  # `execute` stops after a page

    # -- identity ------------------------------------------------------------------------

    def store_id(self) -> str | None:
        """The store that fills this sink, if one is recorded."""
        found = self.db.execute("SELECT store_id FROM identity").fetchone()
        return found[0] if found else None

    def positions(self) -> dict[str, int]:
        """Last sequence seen per source."""
        select = "SELECT source, max(seq) FROM position GROUP BY source"
        return dict(self.db.execute(select).fetchall())

    def claim(self, store_id: str) -> None:
        """Belong to that store if to none yet."""
        if self.store_id() is None:
            self.db.execute("INSERT INTO identity VALUES (?)", (store_id,))

    def adopt(self, store_id: str) -> None:
        """Belong to that store, whose sequences begin anew."""
        with self.transaction():
            self.db.execute("DELETE FROM identity")
            self.db.execute("INSERT INTO identity VALUES (?)", (store_id,))
            self.db.execute("DELETE FROM position")
            self.db.execute("UPDATE record SET seq = 0")

    def advance(self, source: str, stream: str, seq: int) -> None:
        """Record that this sequence was seen."""
        self.db.execute(
            "INSERT INTO position VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET seq = max(seq, excluded.seq)",
            (source, stream, seq),
        )

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
