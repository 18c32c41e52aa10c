"""The operating system's errors as the sink contract's."""

import errno
from pathlib import Path

from zimun_sync.errors import SinkBroken, SinkUnavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_MISPLACED = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}

FULL_HINT = "Free space on that disk; delivery goes on by itself then."
FORBIDDEN_HINT = "Give the daemon's user the right to write there, or choose another `path`."


def system_error(path: Path, error: OSError) -> SinkBroken | SinkUnavailable:
    """The error to raise instead.

    Args:
        path: the sink's place, for a message where the error names no file.
        error: what the operating system said.
    """
    message = f"{error.filename or path}: {error.strerror or error}"
    if error.errno in _FULL:
        return SinkUnavailable(message, hint=FULL_HINT)
    if error.errno in _FORBIDDEN:
        return SinkBroken(message, hint=FORBIDDEN_HINT)
    if error.errno in _MISPLACED:
        return SinkBroken(message, hint="Choose another `path` for the sink.")
    return SinkUnavailable(message, hint="Check the disk and its mount.")
