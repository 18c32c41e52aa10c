"""Opening the state: create it whole or not at all, migrate it, and never reset it silently."""

import contextlib
import secrets
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
from sqlalchemy.engine import URL

from zimun_sync.errors import StateUnreadable, StoreError
from zimun_sync.store.backups import back_up_before_migration, made_by_migrations
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import BUSY_SECONDS, Database, private_folder
from zimun_sync.store.drafts import draft_of, make_private, remove, sweep
from zimun_sync.store.filesystems import refuse_network_disk
from zimun_sync.store.revisions import (
    HEAD,
    create,
    no_state,
    refuse_newer,
    revision,
    upgrade,
)
from zimun_sync.store.schema import identity

__all__ = ["HEAD", "open_database", "store_id"]

_creating = Lock()  # a draft is named after its process
_ADVISORY_LOCK = 0x5A494D55  # any number of our own; PostgreSQL migrates one process at a time


def open_database(url: URL, clock: Clock, busy_seconds: float = BUSY_SECONDS) -> Database:
    """The state at `url`, created or migrated as needed.

    A SQLite state is backed up beside itself before its schema changes.

    Raises:
        StateUnreadable: damaged, or not a zimun-sync state; it stays as it is.
        StateTooNew: written by a newer release; it stays as it is.
        StoreError: not reachable or not writable, on a network filesystem, or without the room
            for that backup; it stays as it is.
    """
    database = Database(url, busy_seconds)
    if database.path is not None:
        refuse_network_disk(database.path)
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
            sweep(path)
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
    draft = draft_of(path)
    database = Database(URL.create("sqlite", database=str(draft)))
    try:
        make_private(draft)
        _migrate(database, clock, may_create=True)
        database.close()
        # Whoever links first wins; the other process then uses that state.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        database.close()
        remove(draft)


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
        found = revision(connection)
        if found == HEAD:
            return
        if found is None and not may_create:
            raise no_state(connection)
        if found is not None:
            refuse_newer(found, made_by_migrations(database.path) if database.path else ())
            if database.path is not None:
                back_up_before_migration(database.path, found)
            upgrade(connection)
        else:
            create(connection)
            connection.execute(
                sa.insert(identity).values(store_id=secrets.token_hex(16), created_at=micros(clock))
            )
