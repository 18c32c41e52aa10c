"""A file sink's own durable state in SQLite: whose it is, and how far each stream came."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from zimun_connectors.common.records import crc
from zimun_sync.errors import SinkBroken

_PRAGMAS = (
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
    "cache_size = -16384",
    "journal_size_limit = 4194304",
)

_SCHEMA = """
CREATE TABLE identity (store_id TEXT NOT NULL);
CREATE TABLE position (source TEXT, stream TEXT, seq INTEGER, PRIMARY KEY (source, stream));
"""


class SinkState:
    """The database; the caller holds the sink's lock.

    A sink adds its own tables, among them that of `records`.

    Args:
        path: the file, created if missing.

    Raises:
        SinkBroken: a newer release wrote it.
        sqlite3.Error: it cannot be opened.
    """

    #: Statements that make the sink's own tables.
    tables: ClassVar[str]
    #: Statements that bring the tables of version 1 to 2, of 2 to 3 and so on; they may use `crc`.
    steps: ClassVar[tuple[str, ...]] = ()
    #: What a file has to be told before anything is in it.
    at_birth: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(path)
        except BaseException:
            self.db.close()
            raise

    def _prepare(self, path: Path) -> None:
        born = () if path.stat().st_size else self.at_birth
        for pragma in (*born, *_PRAGMAS):
            self.db.execute(f"PRAGMA {pragma}")
        (version,) = self.db.execute("PRAGMA user_version").fetchone()
        latest = 1 + len(self.steps)
        if version > latest:
            raise SinkBroken(
                f"{path} was written by a newer release (its version is {version}).",
                hint="Install that release again, or give the sink another path.",
            )
        if version == 0:
            self._lay(f"{_SCHEMA} {self.tables}", latest)
            return
        for former in range(version, latest):
            self._lay(self.steps[former - 1], former + 1)

    def _lay(self, statements: str, version: int) -> None:
        """Bring the tables to that version: all of it, or nothing."""
        self.db.create_function("crc", 1, crc, deterministic=True)
        with self.transaction():
            for statement in statements.split(";"):
                self.db.execute(statement)
            self.db.execute(f"PRAGMA user_version = {version}")

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
