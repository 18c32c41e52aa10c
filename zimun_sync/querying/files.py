"""Files that appear whole and belong to their owner alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zimun_sync.errors import ConfigError, ZimunSyncError
from zimun_sync.store import drafts


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes `path`'s place, durably, when the block ends well; mode 0600.

    Raises:
        ConfigError: something that is not a file is there.
        ZimunSyncError: the file cannot be written.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(
            f"{path} is not a file and cannot be replaced.",
            hint="Name a file, or let the shell redirect standard output.",
        )
    draft = drafts.draft_of(path)
    try:
        drafts.sweep(path)
        drafts.make_private(draft)
        try:
            with draft.open("wb") as file:
                yield file
            drafts.settle(draft, path)
        finally:
            drafts.remove(draft)
    except OSError as error:
        raise ZimunSyncError(
            f"{error.filename or path} cannot be written: {error.strerror or error}.",
            hint="Check the folder, its permissions and the free space; nothing was replaced.",
        ) from error
