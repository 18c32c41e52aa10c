"""Files made under another name and moved into place whole; what a crash leaves is swept."""

import glob
import os
from pathlib import Path

from zimun_sync.store.processes import started


def draft_of(path: Path) -> Path:
    """Where this process makes the file that is to be at `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}.new")


def make_private(draft: Path) -> None:
    """Make an empty file that only its owner may read."""
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def remove(draft: Path) -> None:
    """Remove a draft and the journals beside it."""
    for each in draft.parent.glob(f"{glob.escape(draft.name)}*"):
        each.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what processes that were killed while they made this file left behind."""
    before = f".{path.name}."
    for draft in path.parent.glob(f"{glob.escape(before)}*.new"):
        pid = draft.name.removeprefix(before).removesuffix(".new")
        if pid.isdigit() and (int(pid) == os.getpid() or not started(int(pid))):
            remove(draft)


def settle(draft: Path, path: Path) -> None:
    """Move a finished draft into place, so that a power loss leaves the old file or the new."""
    _sync(draft)
    draft.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
