"""Opening the state: create it whole or not at all, migrate it, and never reset it silently."""

import contextlib
import glob
import os
import secrets
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from zimun_sync.errors import StateTooNew, StateUnreadable, StoreError
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import BUSY_SECONDS, Database, private_folder
from zimun_sync.store.processes import started
from zimun_sync.store.schema import identity, metadata

#: The schema this release writes; the newest file in `migrations/versions`.
HEAD = "0002"

_MIGRATIONS = Path(__file__).parent / "migrations"
_creating = Lock()  # a draft is named after its process
_ADVISORY_LOCK = 0x5A494D55  # any number of our own; PostgreSQL migrates one process at a time


def open_database(url: URL, clock: Clock, busy_seconds: float = BUSY_SECONDS) -> Database:
    """The state at `url`, created or migrated as needed.

    Raises:
        StateUnreadable: damaged, or not a zimun-sync state; it stays as it is.
        StateTooNew: written by a newer release; it stays as it is.
        StoreError: not reachable or not writable.
    """
    database = Database(url, busy_seconds)
    if database.path is not None:
        _make_sure_of(database.path, clock)
    try:
        _migrate(database, clock, may_create=not database.is_sqlite)
        database.write_ahead()
    except BaseException:
        database.close()
        raise
    return database


def store_id(database: Database) -> str:
    """Who this store is."""
    with database.read() as connection:
        return str(connection.execute(sa.select(identity.c.store_id)).scalar_one())


def _make_sure_of(path: Path, clock: Clock) -> None:
    """Make the file if there is none; refuse what can be no state."""
    try:
        with _creating:
            _sweep(path)
            if path.exists():
                _refuse_unusable(path)
            else:
                private_folder(path.parent)
                _create_file(path, clock)
    except OSError as error:
        raise StoreError(
            f"The state {path} cannot be opened: {error.strerror}.",
            hint="Choose another path for `state`, or give the user the right to write there.",
        ) from error


def _create_file(path: Path, clock: Clock) -> None:
    """Make the file under another name, so that a crash leaves no half-made state."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    database = Database(URL.create("sqlite", database=str(draft)))
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _migrate(database, clock, may_create=True)
        database.close()
        # Whoever links first wins; the other process then uses that state.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        database.close()
        _remove(draft)


def _sweep(path: Path) -> None:
    """Remove what processes that were killed while they made this state left behind."""
    before = f".{path.name}."
    for draft in path.parent.glob(f"{glob.escape(before)}*.new"):
        pid = draft.name.removeprefix(before).removesuffix(".new")
        if pid.isdigit() and (int(pid) == os.getpid() or not started(int(pid))):
            _remove(draft)


def _remove(draft: Path) -> None:
    for each in draft.parent.glob(f"{glob.escape(draft.name)}*"):  # its journal too
        each.unlink(missing_ok=True)


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


def _migrate(database: Database, clock: Clock, *, may_create: bool) -> None:
    with database.write(durable=True) as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        found = _revision(connection)
        if found == HEAD:
            return
        if found is None and not may_create:
            raise _no_state(connection)
        _upgrade(connection, found)
        if found is None:
            connection.execute(
                sa.insert(identity).values(store_id=secrets.token_hex(16), created_at=micros(clock))
            )


def _revision(connection: Connection) -> str | None:
    """The schema that is there; None where there is nothing of ours and nothing in our way."""
    tables = set(sa.inspect(connection).get_table_names())
    if {"alembic_version", "identity"} <= tables:
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars()
        revision: str | None = found.one_or_none()
        if revision is not None:
            return revision
    if tables & {"alembic_version", *metadata.tables}:
        raise _no_state(connection)
    return None


def _no_state(connection: Connection) -> StateUnreadable:
    url = connection.engine.url
    name = url.database if url.get_backend_name() == "sqlite" else url.render_as_string()
    return StateUnreadable(
        f"{name} is a database, but not a zimun-sync state.",
        hint="Check `state` in the configuration: zimun-sync needs a database of its own.",
    )


def _upgrade(connection: Connection, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StateTooNew(
            f"The state has schema {found}; this release of zimun-sync knows {HEAD}.",
            hint="Install the release that wrote it, or a newer one.",
        )
    command.upgrade(config, "head")
