"""Putting a backup in the place of a SQLite state, and nothing is resent that nobody looked at."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import URL, Connection

from zimun_sync.errors import ConfigError, LeaseHeld, StateUnreadable, StoreError
from zimun_sync.model import from_micros
from zimun_sync.store.activations import start_over
from zimun_sync.store.backups import sqlite_file
from zimun_sync.store.carrying import carry, forgotten_in
from zimun_sync.store.clock import Clock, micros, utc_now
from zimun_sync.store.copying import copied, opened
from zimun_sync.store.database import Database, private_folder
from zimun_sync.store.deliveries import ParkKind
from zimun_sync.store.facts import Facts, facts_in, held
from zimun_sync.store.filesystems import refuse_network_disk
from zimun_sync.store.revisions import refuse_newer
from zimun_sync.store.run import RunStatus
from zimun_sync.store.runs import RESUME_WITHIN_SECONDS
from zimun_sync.store.schema import (
    hook_calls,
    leases,
    offsets,
    remote_accounts,
    requests,
    runs,
    sinks,
)
from zimun_sync.store.trouble import explain

#: How long a program that has the present state open is waited for.
BUSY_SECONDS: Final = 5.0

#: What commands asked of the daemon and what hooks were to tell: over by now.
_OVER: Final = (requests, hook_calls)

_HINT: Final = (
    "`zimun-sync adopt {name}` compares the two and delivers anew; "
    "`zimun-sync resume {name}` delivers on from where the backup stood."
)
_REMOTE_HINT: Final = (
    "`zimun-sync sinks activate {name}` shows what it would write, and lets it go on."
)


class Restored(Struct, frozen=True):
    """A state that was restored.

    Args:
        state: its file.
        facts: what the backup told of itself.
        kept: where the former state is now; None if there was none.
        parked: sinks that wait until someone has looked at them.
        superseded: unfinished runs that begin anew.
        forgotten: whether people who were forgotten since will be forgotten again; None if the
            former state could not be read to tell.
    """

    state: Path
    facts: Facts
    kept: Path | None
    parked: tuple[str, ...]
    superseded: int
    forgotten: bool | None = False


def restore(
    url: str,
    folder: Path,
    backup: Path,
    clock: Clock = utc_now,
    busy_seconds: float = BUSY_SECONDS,
) -> Restored:
    """Put a backup in place of the state, which is kept beside it.

    Its sinks are parked, its leases forgotten, and its unfinished runs begin anew. Who was
    forgotten since will be forgotten again. The schema stays the backup's, where nobody was:
    whichever release opens it next migrates it.

    Args:
        url: of the state.
        folder: what a relative SQLite path is relative to.
        backup: a copy that `back_up` or a migration made.
        clock: aware UTC now.
        busy_seconds: how long to wait for a program that has the present state open.

    Raises:
        ConfigError: the state is in PostgreSQL, or the place is another program's database's.
        LeaseHeld: a living process works on the present state.
        StateUnreadable: the backup is damaged, or no zimun-sync state.
        StateTooNew: a newer release wrote the backup.
        StoreError: a file cannot be read or written. The present state stays in each case.
    """
    path = sqlite_file(url, folder, "Restore it with `pg_restore`.")
    refuse_network_disk(path)
    facts = _looked_at(path, backup)
    private_folder(path.parent)
    _could_be_in_use(path, clock)  # said before the work, not only after it
    owner = path if path.exists() else path.parent
    with ExitStack() as until_replaced, copied(backup, path, owner=owner) as draft:
        parked, superseded = _make_safe(draft, facts, micros(clock))
        forgotten = _carry_forgotten(path, draft, micros(clock))
        until_replaced.enter_context(_nobody_else(path, clock, busy_seconds))
        kept = _set_aside(path, clock) if path.exists() else None
    return Restored(path, facts, kept, parked, superseded, forgotten)


def _carry_forgotten(path: Path, draft: Path, now: int) -> bool | None:
    """Nobody who was forgotten comes back with a backup; None where it cannot be told who."""
    if not path.exists():
        return False
    try:
        remembered = forgotten_in(path)
    except StateUnreadable:
        return None
    if remembered is None:
        return False
    database = Database(URL.create("sqlite", database=str(draft)))
    try:
        with database.write(durable=True) as connection:
            carry(connection, remembered, now)
    finally:
        database.close()
    return True


def _looked_at(path: Path, backup: Path) -> Facts:
    """The backup's facts, if it is one that can be restored."""
    if backup.exists() and path.exists() and backup.samefile(path):
        raise ConfigError(f"{backup} is the state itself.", hint="Name a backup of it.")
    try:
        facts = facts_in(backup)
    except StateUnreadable as error:
        hint = "Choose another backup; the present state stays as it is."
        raise StateUnreadable(error.message, hint=hint) from error
    refuse_newer(facts.schema)
    return facts


@contextmanager
def _nobody_else(path: Path, clock: Clock, busy_seconds: float) -> Iterator[None]:
    """Hold the present state; one that is damaged nobody can use."""
    if not _could_be_in_use(path, clock):
        yield
        return
    with closing(opened(path, busy_seconds)) as connection:
        try:
            # Fails while anyone has it open, and folds the log in: a single file is left.
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            raise explain(error, str(path), busy_seconds) from error
        yield


def _could_be_in_use(path: Path, clock: Clock) -> bool:
    """Whether there is a state that someone could be using; refuses if someone is."""
    if not path.exists():
        return False
    database = Database(URL.create("sqlite", database=str(path)))
    try:
        with database.read() as connection:
            tables = sa.inspect(connection).get_table_names()
            if tables:
                _refuse_if_in_use(connection, tables, path, micros(clock))
            return bool(tables)
    except StateUnreadable:
        return False
    finally:
        database.close()


def _refuse_if_in_use(
    connection: Connection, tables: Collection[str], path: Path, now: int
) -> None:
    if leases.name not in tables:
        raise ConfigError(
            f"{path} is another program's database.",
            hint="Check `state` in the configuration: zimun-sync needs a database of its own.",
        )
    for name, holder in held(connection, now).items():
        raise LeaseHeld(
            f"{name!r} is being worked on by {holder}.",
            hint="Stop it first; nothing was restored.",
        )


def _make_safe(draft: Path, facts: Facts, now: int) -> tuple[tuple[str, ...], int]:
    """Change the copy so that nothing goes on blindly; tells parked sinks and superseded runs."""
    database = Database(URL.create("sqlite", database=str(draft)))
    try:
        with database.write(durable=True) as connection:
            ended = {"epoch": leases.c.epoch + 1, "expires_at": min(facts.as_of, now)}
            connection.execute(sa.update(leases).values(ended))
            for table in _OVER:
                if sa.inspect(connection).has_table(table.name):
                    connection.execute(sa.delete(table))
            return _park(database, connection, facts, now), _supersede(connection, now)
    finally:
        database.close()


def _park(database: Database, connection: Connection, facts: Facts, now: int) -> tuple[str, ...]:
    has_remotes = sa.inspect(connection).has_table(remote_accounts.name)
    remotes = set(start_over(connection) if has_remotes else ())
    names = remotes.union(connection.execute(sa.select(offsets.c.sink).distinct()).scalars())
    made = from_micros(facts.as_of).strftime("%Y-%m-%d %H:%M:%S UTC")
    for name in names:
        values: dict[str, Any] = {
            "kind": ParkKind.RESTORED,
            "reason": f"The state was restored from a backup of {made}; this sink may hold newer "
            "changes.",
            "hint": (_REMOTE_HINT if name in remotes else _HINT).format(name=name),
            "since": now,
        }
        insert = database.upsert(sinks).values(name=name, **values)
        connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=values))
    return tuple(sorted(names))


def _supersede(connection: Connection, now: int) -> int:
    """Give up runs that would go on at their page token, which is stale by now."""
    fresh = runs.c.updated_at >= now - RESUME_WITHIN_SECONDS * 1_000_000
    resumable = sa.or_(
        runs.c.status == RunStatus.RUNNING, sa.and_(runs.c.status == RunStatus.FAILED, fresh)
    )
    given_up = {"status": RunStatus.SUPERSEDED, "finished_at": now}
    return connection.execute(sa.update(runs).where(resumable).values(given_up)).rowcount


def _set_aside(path: Path, clock: Clock) -> Path:
    """Give the present state a second name; the first one stays until it is replaced."""
    kept = path.with_name(f"{path.name}.before-restore-{clock():%Y%m%dT%H%M%SZ}")
    try:
        kept.hardlink_to(path)
        for end in ("-wal", "-journal"):  # of a damaged state; they must not meet the new one
            log = path.with_name(path.name + end)
            if log.exists():
                log.rename(kept.with_name(kept.name + end))
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"The present state {path} cannot be kept as {kept.name}: {error.strerror}.",
            hint="Give the user the right to write there; nothing was restored.",
        ) from error
    return kept
