"""Opening the state: create it whole or not at all, migrate it, and never reset it silently."""

import contextlib
import os
import secrets
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from zimun_sync.errors import StateTooNew, StateUnreadable, StoreError
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database, private_folder
from zimun_sync.store.schema import identity

#: The schema this release writes; the newest file in `migrations/versions`.
HEAD = "0001"

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x5A494D55  # any number of our own; PostgreSQL migrates one process at a time


def open_database(url: URL, clock: Clock) -> Database:
    """The state at `url`, created or migrated as needed.

    Raises:
        StateUnreadable: damaged, or not a zimun-sync state.
        StateTooNew: written by a newer release.
        StoreError: not reachable or not writable.
    """
    database = Database(url)
    if database.path is not None and not database.path.exists():
        _create_file(database.path, clock)
    elif database.path is not None:
        _refuse_unusable(database.path)
    _migrate(database, clock)
    return database


def store_id(database: Database) -> str:
    """Who this store is."""
    with database.read() as connection:
        return str(connection.execute(sa.select(identity.c.store_id)).scalar_one())


def _create_file(path: Path, clock: Clock) -> None:
    """Make the file under another name, so that a crash leaves no half-made state."""
    private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        database = Database(URL.create("sqlite", database=str(draft)))
        _migrate(database, clock)
        _leave_wal(database)
        # Whoever links first wins; the other process then uses that state.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    except OSError as error:
        raise StoreError(
            f"The state {path} cannot be made: {error.strerror}.",
            hint="Choose another path for `state`, or give the user the right to write there.",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _leave_wal(database: Database) -> None:
    """Fold the log into the file, so that the file alone is the whole state."""
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        if raw is not None:
            raw.execute("PRAGMA journal_mode = DELETE")
    database.close()


def _refuse_unusable(path: Path) -> None:
    if path.is_dir():
        raise StateUnreadable(
            f"The state {path} is a folder.", hint="Name a file, such as var/state.db."
        )
    if path.stat().st_size == 0:
        raise StateUnreadable(
            f"The state {path} is empty.",
            hint="Restore a backup of it. If you mean to start over, delete the file and adopt "
            "the sinks that remember the old state.",
        )


def _migrate(database: Database, clock: Clock) -> None:
    with database.write(durable=True) as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        found = _revision(connection, database)
        if found == HEAD:
            return
        _upgrade(connection, found)
        if found is None:
            connection.execute(
                sa.insert(identity).values(store_id=secrets.token_hex(16), created_at=micros(clock))
            )


def _revision(connection: Connection, database: Database) -> str | None:
    tables = set(sa.inspect(connection).get_table_names())
    if "alembic_version" in tables and "identity" in tables:
        row = connection.execute(sa.text("SELECT version_num FROM alembic_version")).one()
        return str(row[0])
    if tables & {"records", "runs", "offsets"} or (database.is_sqlite and tables):
        raise StateUnreadable(
            f"{database.path or database.url.render_as_string()} is a database, but not a "
            "zimun-sync state.",
            hint="Check `state` in the configuration.",
        )
    return None


def _upgrade(connection: Connection, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StateTooNew(
            f"The state has schema {found}; this release of zimun-sync knows {HEAD}.",
            hint="Install the release that wrote it, or a newer one.",
        )
    command.upgrade(config, "head")
