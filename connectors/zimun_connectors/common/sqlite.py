"""What goes wrong with files and SQLite, as the sink contract's errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zimun_connectors.common.errors import FORBIDDEN_HINT, FULL_HINT, system_error
from zimun_sync.errors import SinkBroken, SinkUnavailable

_PRIMARY_CODE = 0xFF
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what goes wrong in the block as `SinkUnavailable` or `SinkBroken`.

    Args:
        path: the sink's folder, for the message.
    """
    try:
        yield
    except OSError as error:
        raise system_error(path, error) from error
    except sqlite3.DatabaseError as error:
        raise _from_sqlite(path, error) from error


def _from_sqlite(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """The error to raise instead; a statement of ours that is wrong stays what it is, a bug."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    message = f"{path}: the sink's private state: {error}"
    if code == sqlite3.SQLITE_FULL:
        return SinkUnavailable(message, hint=FULL_HINT)
    if code in _BUSY:
        return SinkUnavailable(message, hint="Close the other program that has it open.")
    if code in _FORBIDDEN:
        return SinkBroken(message, hint=FORBIDDEN_HINT)
    if code in _DAMAGED:
        return SinkBroken(
            message,
            hint="Restore the sink's folder as a whole, or set up a sink of another name with "
            "another path: a new sink is filled from the store.",
        )
    if code == sqlite3.SQLITE_IOERR:
        return SinkUnavailable(message, hint="Check the disk, its mount and its free space.")
    return error
