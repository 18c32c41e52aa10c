"""One writer at a time, by a lock of the operating system that ends with its process."""

import fcntl
import os
from pathlib import Path

from zimun_sync.errors import SinkUnavailable


class WriterLock:
    """An exclusive lock on a file that names the process holding it.

    Args:
        path: the file; it stays when the lock is released. Its folder has to exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; idempotent.

        Raises:
            SinkUnavailable: another process has it, or another sink of this process.
        """
        if self._descriptor is not None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; idempotent."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise SinkUnavailable(
                f"Process {holder or 'unknown'} is writing to this sink already ({self._path}).",
                hint="Let it finish or stop it, or give one of the two sinks another path.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
