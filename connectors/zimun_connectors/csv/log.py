"""A file that only grows, and is cut back to what was recorded."""

import os
from collections.abc import Iterable, Iterator
from io import RawIOBase
from pathlib import Path

_CHUNK = 1 << 20
_CR = ord("\r")

#: A stretch of a file: where it starts and how long it is, bytes.
Stretch = tuple[int, int]


def append(path: Path, size: int, parts: Iterable[bytes | memoryview]) -> int:
    """Write the parts at that position, durably, and cut off whatever stood there.

    Returns:
        The file's new size. Until the caller has recorded it, the parts do not count.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with open(descriptor, "r+b") as file:  # noqa: PTH123 - an open descriptor
        file.truncate(size)
        file.seek(size)
        file.writelines(parts)
        file.flush()
        os.fsync(descriptor)
        return file.tell()


def gaps(dead: Iterable[Stretch], size: int) -> Iterator[Stretch]:
    """What the dead stretches, given in order, leave of a file of that size."""
    position = 0
    for start, length in dead:
        if start > position:
            yield position, start - position
        position = start + length
    if size > position:
        yield position, size - position


def read(path: Path, stretches: Iterable[Stretch]) -> Iterator[bytes]:
    """The bytes of those stretches, in pieces of at most a mebibyte."""
    with path.open("rb", buffering=0) as file:
        for start, length in stretches:
            file.seek(start)
            left = length
            while left:
                piece = file.read(min(left, _CHUNK))
                if not piece:
                    raise EOFError(f"{path} ends {left} bytes too early")
                left -= len(piece)
                yield piece


class Pieces(RawIOBase):
    """Pieces of bytes as a file that can be read from front to back.

    Args:
        pieces: what to read.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # what read() passes
        """Fill the buffer as far as the pieces go; 0 at the end.

        It never ends between CR and LF, where Arrow would lose the latter, even in quotes.
        """
        filled = 0
        while filled < len(buffer):
            if not self._rest:
                self._rest = memoryview(next(self._pieces, b""))
            if not self._rest:
                break
            part = self._rest[: len(buffer) - filled]
            buffer[filled : filled + len(part)] = part
            self._rest = self._rest[len(part) :]
            filled += len(part)
        if filled > 1 and buffer[filled - 1] == _CR:
            self._rest = memoryview(b"\r" + self._rest)
            filled -= 1
        return filled
