"""The state's file: real SQLite, on which a process may die around every transaction."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.engine import Connection

from tests.states import put_new_state
from zimun_sync.store.clock import Clock
from zimun_sync.store.database import Database, parse_url
from zimun_sync.store.store import Store

#: Told where a process is, and whether something else may happen there meanwhile.
At = Callable[[str, bool], None]


class SimDatabase(Database):
    """Connections of one process.

    Args:
        path: the state's file.
        at: told of each boundary; may raise.
        committed: told after each commit whether it survives a power loss.
    """

    def __init__(self, path: Path, at: At, committed: Callable[[bool], None]) -> None:
        super().__init__(parse_url(f"sqlite:///{path.name}", path.parent), busy_seconds=0.5)
        self._at = at
        self._committed = committed
        self._writing = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """As the real one; something else may happen before it."""
        self._at("reading the state", not self._writing)
        with super().read() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool) -> Iterator[Connection]:
        """As the real one; the process may die before, within and after it."""
        self._at("beginning a transaction", True)
        try:
            with super().write(durable=durable) as connection:
                self._writing = True
                yield connection
                self._at("committing", False)
        finally:
            self._writing = False
        self._committed(durable)
        self._at("having committed", True)


class Disk:
    """The state's file through crashes and power losses.

    Args:
        folder: where it lies.
        clock: of the store.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        put_new_state(folder)
        self._path = folder / "state.db"
        self._clock = clock
        self._runs = 0
        self._synced = 0
        self._losses = 0

    def open(self, at: At) -> tuple[Store, SimDatabase]:
        """The store as a new process opens it."""
        database = SimDatabase(self._path, at, self._note)
        self._synced = min(self._synced, self._log_size())
        return Store(database, self._clock, self._new_run_id), database

    def lose_power(self) -> None:
        """Forget what was committed but not synced; nothing may have the file open later."""
        self._losses += 1
        lost = self._path.with_name(f"state-{self._losses}.db")
        shutil.copyfile(self._path, lost)
        log = Path(f"{self._path}-wal")
        if log.exists():
            kept = shutil.copyfile(log, f"{lost}-wal")
            os.truncate(kept, self._synced)
        self._path = lost

    def head(self) -> int:
        """The last sequence that the file knows of; no process has it open."""
        with closing(sqlite3.connect(self._path)) as file:
            [seq] = file.execute("SELECT coalesce(max(seq), 0) FROM sources").fetchone()
        return int(seq)

    def unfinished(self) -> set[str]:
        """Streams whose latest run, as far as it was committed, is in the middle of a pass.

        One without any page is left out: what was served last belongs to the run before it. After
        the last page of a pass another pass may follow, at the first page.
        """
        with closing(sqlite3.connect(self._path)) as file:
            runs = file.execute(
                "SELECT stream, status IN ('running', 'failed') AND pages > 0"
                " AND (page_token IS NOT NULL OR pass_pages = 0)"
                " FROM runs ORDER BY started_at, run_id"
            )
            latest = dict(runs.fetchall())
        return {stream for stream, goes_on in latest.items() if goes_on}

    def _note(self, durable: bool) -> None:
        if durable:
            self._synced = self._log_size()

    def _log_size(self) -> int:
        try:
            return Path(f"{self._path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _new_run_id(self, _now: int) -> str:
        self._runs += 1
        return f"run-{self._runs:04d}"
