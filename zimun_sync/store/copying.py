"""Copying a SQLite state while others use it: one moment of it, checked, whole or not at all."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from zimun_sync.errors import StateUnreadable, StoreError
from zimun_sync.store.database import BUSY_SECONDS
from zimun_sync.store.drafts import draft_of, make_private, remove, settle, sweep
from zimun_sync.store.trouble import explain

#: Told after each step: bytes copied, bytes altogether.
Told = Callable[[int, int], None]

_BYTES_A_STEP: Final = 16 * 1024 * 1024
_MEGABYTE: Final = 1_000_000


def nobody(_copied: int, _total: int) -> None:
    """Tell no one."""


@contextmanager
def copied(
    source: Path, target: Path, told: Told = nobody, *, owner: Path | None = None
) -> Iterator[Path]:
    """A copy of one moment of a state, put at `target` at the end of the block.

    Whoever writes the state meanwhile is not held up. What was at `target` is replaced.

    Args:
        source: a state, in use or not.
        target: where the copy goes; readable for its owner only.
        told: how far it has come.
        owner: whose owner it gets where root makes it; by default the state's.

    Yields:
        The copy under another name, where it may still be changed.

    Raises:
        StateUnreadable: the state is damaged; nothing was put at `target`.
        StoreError: it cannot be read, or the copy not be written; nothing was put at `target`.
    """
    draft = draft_of(target)
    try:
        sweep(target)
        make_private(draft)
        _give_to_owner(draft, owner or source)
        _copy(source, draft, told)
        yield draft
        settle(draft, target)
    except OSError as error:
        raise StoreError(
            f"{target} cannot be written: {error.strerror}.",
            hint="Name a file in a folder that exists and that this user may write to.",
        ) from error
    finally:
        remove(draft)


def _give_to_owner(draft: Path, like: Path) -> None:
    """What root makes belongs to whom that other file belongs: else the daemon could not use it."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(draft, owner.st_uid, owner.st_gid)


def _copy(source: Path, draft: Path, told: Told) -> None:
    try:
        with closing(opened(source)) as reading, closing(opened(draft)) as writing:
            # One snapshot: else each commit of someone else would start the copy again.
            reading.execute("BEGIN")
            size = _size(reading)
            _make_sure_of_room(draft.parent, size[0] * size[1])
            _copy_steps(reading, writing, size, told)
            writing.execute("PRAGMA journal_mode = DELETE")  # a single file
            _check(source, writing)
    except sqlite3.Error as error:
        raise explain(error, str(source), BUSY_SECONDS) from error


def opened(path: Path, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A plain connection to a SQLite file that exists, for reading where it may not be written."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=busy_seconds, isolation_level=None)


def _size(connection: sqlite3.Connection) -> tuple[int, int]:
    """Pages, and bytes of a page."""
    [[pages]] = connection.execute("PRAGMA page_count")
    [[page]] = connection.execute("PRAGMA page_size")
    return int(pages), int(page)


def _copy_steps(
    reading: sqlite3.Connection, writing: sqlite3.Connection, size: tuple[int, int], told: Told
) -> None:
    page = size[1]

    def progress(_status: int, remaining: int, total: int) -> None:
        told((total - remaining) * page, total * page)

    reading.backup(writing, pages=_BYTES_A_STEP // page, progress=progress)


def _make_sure_of_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"There is no room in {folder} for a copy of the state: it takes "
            f"{needed / _MEGABYTE:,.1f} MB, and {free / _MEGABYTE:,.1f} MB are free.",
            hint="Free some space there; nothing was changed.",
        )


def _check(source: Path, copy: sqlite3.Connection) -> None:
    found = [row[0] for row in copy.execute("PRAGMA integrity_check(1)")]
    if found != ["ok"]:
        raise StateUnreadable(
            f"{source} is damaged: {found[0]}.",
            hint="Restore a backup of it; zimun-sync never starts over on a damaged state.",
        )
