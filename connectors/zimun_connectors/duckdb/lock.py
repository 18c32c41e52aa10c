"""One writer at a time: an operating system lock that dies with its process."""

import fcntl
import os
from pathlib import Path

from zimun_sync.errors import SinkUnavailable


class WriterLock:
    """An exclusive lock on a file, held from `acquire` to `release`.

    Args:
        path: the file; it stays behind, empty of meaning, when the lock is released.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            SinkUnavailable: another process has it, or another sink of this one.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise SinkUnavailable(
                f"Process {holder} is writing to this sink already ({self._path}).",
                hint="Let it finish or stop it, or give one of the two sinks another path.",
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; idempotent."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
