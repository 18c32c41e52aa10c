"""Looking at a state from outside, whatever its schema: what support wants to know first."""

from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import URL

from zimun_sync.errors import StoreError
from zimun_sync.store.backups import copies_beside
from zimun_sync.store.clock import Clock, micros, utc_now
from zimun_sync.store.database import Database, parse_url
from zimun_sync.store.facts import Facts, facts_of, held
from zimun_sync.store.leases import Holder


class CopyOfState(Struct, frozen=True):
    """A copy beside the state; `made_at`: microseconds since the epoch, UTC."""

    file: Path
    size_bytes: int
    made_at: int


class StateInfo(Struct, frozen=True):
    """A state, seen from outside.

    Args:
        where: its file, or its URL without the password.
        size_bytes: with SQLite's log.
        facts: what it tells of itself.
        held: leases of living processes, by name.
        copies: what migrations and restores left beside it, the newest first.
    """

    where: str
    size_bytes: int
    facts: Facts
    held: dict[str, Holder]
    copies: tuple[CopyOfState, ...]


def look_at(url: str, folder: Path, clock: Clock = utc_now) -> StateInfo:
    """Look at a state without migrating it or holding anyone up.

    Args:
        url: of the state.
        folder: what a relative SQLite path is relative to.
        clock: aware UTC now.

    Raises:
        ConfigError: not the URL of a state.
        StateUnreadable: damaged, or not a zimun-sync state.
        StoreError: there is none, or it is not reachable.
    """
    parsed = parse_url(url, folder)
    database = Database(parsed)
    try:
        _make_sure_of(database)
        with database.read() as connection:
            facts, holders = facts_of(connection), held(connection, micros(clock))
        return StateInfo(_name(parsed), _size(database), facts, holders, _copies(database))
    finally:
        database.close()


def _make_sure_of(database: Database) -> None:
    """SQLite would make a file that is not there."""
    if database.path is not None and not database.path.is_file():
        raise StoreError(
            f"There is no state {database.path}.",
            hint="`zimun-sync sync` makes it on its first run.",
        )


def _name(url: URL) -> str:
    sqlite = url.get_backend_name() == "sqlite"
    return str(url.database) if sqlite else url.render_as_string()


def _size(database: Database) -> int:
    if database.path is None:
        query = sa.select(sa.func.pg_database_size(sa.func.current_database()))
        with database.read() as connection:
            return int(connection.execute(query).scalar_one())
    log = database.path.with_name(f"{database.path.name}-wal")
    return sum(file.stat().st_size for file in (database.path, log) if file.exists())


def _copies(database: Database) -> tuple[CopyOfState, ...]:
    files = [] if database.path is None else copies_beside(database.path)
    stats = [(file, file.stat()) for file in files]
    return tuple(CopyOfState(file, stat.st_size, stat.st_mtime_ns // 1000) for file, stat in stats)
