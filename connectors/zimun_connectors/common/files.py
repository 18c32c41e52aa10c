"""Replacing files as a whole, durably, and trying whether a folder can be written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from zimun_connectors.common.access import PublishSettings


def sync(path: Path) -> None:
    """Flush a file or a folder's entries to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, access: PublishSettings) -> Iterator[BinaryIO]:
    """A new file that takes `path`'s place when the block ends well.

    Readers see the old file or the new one, each whole; a reader that has the old one open
    keeps it. The new one lies in the same folder under a hidden name until then, its owner's alone.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # a killed process may have left it, with another mode
    try:
        new.touch(mode=0o600, exist_ok=False)
        with new.open("wb") as file:
            yield file
            file.flush()
            access.grant(new)
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    sync(path.parent)


def try_to_write(folder: Path) -> None:
    """Write and remove a file there, or in the nearest folder above that exists.

    Raises:
        OSError: it cannot be done; its file name is the folder's, not the file's.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error
