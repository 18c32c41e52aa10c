"""DuckDB's and the operating system's errors as the sink contract's."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from zimun_sync.errors import SinkBroken, SinkUnavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_MISPLACED = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}

_FULL_HINT = "Free space on that disk; delivery goes on by itself then."
_FORBIDDEN_HINT = "Give the daemon's user the right to write there, or choose another path."


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what goes wrong in the block as `SinkUnavailable` or `SinkBroken`.

    Args:
        path: the sink's file, for the message.
    """
    try:
        yield
    except OSError as error:
        raise _from_system(path, error) from error
    except duckdb.OutOfMemoryException as error:
        raise SinkBroken(
            f"{path}: DuckDB needs more memory than the sink allows: {_first_line(error)}",
            hint="Raise the sink's `memory_limit`.",
        ) from error
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise _from_duckdb(path, error) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _from_system(path: Path, error: OSError) -> SinkBroken | SinkUnavailable:
    where = error.filename or path
    message = f"{where}: {error.strerror or error}"
    if error.errno in _FULL:
        return SinkUnavailable(message, hint=_FULL_HINT)
    if error.errno in _FORBIDDEN:
        return SinkBroken(message, hint=_FORBIDDEN_HINT)
    if error.errno in _MISPLACED:
        return SinkBroken(message, hint="Choose another `path` for the sink.")
    return SinkUnavailable(message, hint="Check the disk and its mount.")


def _from_duckdb(path: Path, error: Exception) -> SinkBroken | SinkUnavailable:
    message = f"{path}: {_first_line(error)}"
    if "No space left" in message or "File too large" in message:
        return SinkUnavailable(message, hint=_FULL_HINT)
    if "Permission denied" in message or "Read-only file system" in message:
        return SinkBroken(message, hint=_FORBIDDEN_HINT)
    if "not a valid DuckDB database" in message:
        return SinkBroken(message, hint="That file is something else: move it away.")
    if "lock on file" in message:
        return SinkUnavailable(
            message,
            hint="Another program has the sink's private database open: close it there. "
            "Readers open the published files.",
        )
    return SinkUnavailable(message, hint="Check the disk; the database is opened anew next time.")
