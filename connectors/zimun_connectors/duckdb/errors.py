"""DuckDB's and the operating system's errors as the sink contract's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from zimun_connectors.common.errors import FORBIDDEN_HINT, FULL_HINT, system_error
from zimun_sync.errors import SinkBroken, SinkUnavailable

_MISPLACED_HINT = "Choose another `path` for the sink."
_LOCKED_HINT = (
    "Another program has the private database open: close it there; readers use the other files."
)
_OTHER = (SinkUnavailable, "Check the disk and its mount; the files are opened anew next time.")

#: DuckDB tells its causes in words only, the operating system's in C's (`strerror`).
_BY_WORDS: tuple[tuple[str, type[SinkBroken | SinkUnavailable], str], ...] = (
    ("No space left", SinkUnavailable, FULL_HINT),
    ("Disk quota exceeded", SinkUnavailable, FULL_HINT),
    ("File too large", SinkUnavailable, FULL_HINT),
    ("Permission denied", SinkBroken, FORBIDDEN_HINT),
    ("Read-only file system", SinkBroken, FORBIDDEN_HINT),
    ("Is a directory", SinkBroken, _MISPLACED_HINT),
    ("Not a directory", SinkBroken, _MISPLACED_HINT),
    ("not a valid DuckDB database", SinkBroken, "That file is something else: move it away."),
    ("lock on file", SinkUnavailable, _LOCKED_HINT),
    ("Out of Memory", SinkBroken, "Raise the sink's `memory_limit`."),
)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what goes wrong in the block as `SinkUnavailable` or `SinkBroken`.

    Errors that are neither the machine's nor another program's doing pass as they are.

    Args:
        path: the sink's file, for the message.
    """
    try:
        yield
    except OSError as error:
        raise system_error(path, error) from error
    except (
        duckdb.FatalException,
        duckdb.IOException,
        duckdb.OutOfMemoryException,
        duckdb.TransactionException,
    ) as error:
        message = str(error).partition("\n")[0]
        verdicts = ((kind, hint) for words, kind, hint in _BY_WORDS if words in message)
        kind, hint = next(verdicts, _OTHER)
        raise kind(f"{path}: {message}", hint=hint) from error
