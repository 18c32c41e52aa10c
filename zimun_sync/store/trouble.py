"""What a database's error means for a person: what happened, where, and what to do next."""

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError

from zimun_sync.errors import StateUnreadable, StoreError

_RESTORE = "Restore a backup of it; zimun-sync never starts over on a damaged state by itself."
_RIGHTS = "Give the user that runs zimun-sync the right to write there."
_FREE = "Free some space and run again; nothing was lost."
_CONNECTION = "Check that the database is running, and `state` in the configuration."

_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FORBIDDEN: Final = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_LOCKED: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_PRIMARY_CODE = 0xFF  # the rest of SQLite's code only details it
_DISK_FULL, _NO_RIGHT, _READ_ONLY = "53100", "42501", "25006"  # PostgreSQL's SQLSTATE


def explain(error: DBAPIError | sqlite3.Error, where: str, busy_seconds: float) -> StoreError:
    """The error to raise instead of the database's own.

    Args:
        error: what SQLAlchemy or SQLite raised.
        where: the state, as people may see it.
        busy_seconds: how long a locked SQLite state was waited for.
    """
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, where, busy_seconds)
    if isinstance(error.orig, sqlite3.Error):
        return _of_sqlite(error.orig, where, busy_seconds)
    return _of_postgres(error, where)


def _of_sqlite(error: sqlite3.Error, where: str, busy_seconds: float) -> StoreError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY_CODE
    if code in _DAMAGED:
        return StateUnreadable(f"The state {where} is damaged: {error}.", hint=_RESTORE)
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"The disk is full: the state {where} was not written.", hint=_FREE)
    if code in _FORBIDDEN:
        return StoreError(f"The state {where} cannot be written: {error}.", hint=_RIGHTS)
    if code in _LOCKED:
        return StoreError(
            f"The state {where} was locked by another program for {busy_seconds:g} s.",
            hint="Close the program that holds it open for writing.",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StoreError(
            f"The disk failed under the state {where}: {error}.",
            hint="Check the disk and its free space, then run again.",
        )
    return StoreError(f"The state {where} refused a statement: {error}.")


def _of_postgres(error: DBAPIError, where: str) -> StoreError:
    state = getattr(error.orig, "sqlstate", None)
    # The rest of the message may quote rows.
    said = str(error.orig).partition("\n")[0].rstrip(".")
    if state == _DISK_FULL:
        return StoreError(f"The disk under the state {where} is full: {said}.", hint=_FREE)
    if state in {_NO_RIGHT, _READ_ONLY}:
        return StoreError(f"The state {where} cannot be written: {said}.", hint=_RIGHTS)
    if isinstance(error, OperationalError):
        return StoreError(f"The state {where} is not available: {said}.", hint=_CONNECTION)
    return StoreError(f"The state {where} refused a statement: {said}.")
