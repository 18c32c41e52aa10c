"""The sink's own durable state in SQLite: whose it is, and what the other files hold.

Whole batches go to SQLite as one JSON text and one statement. Row by row the thread would
give up and fight for Python's global lock each time (ten times slower beside a busy thread).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
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

#: `log`: a stream's lines and what readers see of them. `dead`: stretches of a log that no
#: longer count. `record`: where each record's line lies; `length` 0 and no hash: deleted.
_SCHEMA = """
CREATE TABLE identity (store_id TEXT NOT NULL);
CREATE TABLE position (source TEXT, stream TEXT, seq INTEGER, PRIMARY KEY (source, stream));
CREATE TABLE log (
    id INTEGER PRIMARY KEY, stream TEXT UNIQUE, number INTEGER, size INTEGER, columns TEXT,
    version INTEGER, published INTEGER, published_size INTEGER, published_as TEXT
);
CREATE TABLE dead (
    log INTEGER, start INTEGER, length INTEGER, PRIMARY KEY (log, start)
) WITHOUT ROWID;
CREATE TABLE record (
    log INTEGER, source TEXT, key TEXT, seq INTEGER, hash TEXT, start INTEGER, length INTEGER,
    PRIMARY KEY (log, source, key)
) WITHOUT ROWID;
CREATE TABLE change_file (name TEXT PRIMARY KEY, day TEXT, form TEXT, size INTEGER);
"""


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
