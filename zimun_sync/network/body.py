"""Reads a body within its limits: time, size after decompression, and completeness."""

import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol, cast

import httpx

ACCEPT_ENCODING: Final = "gzip"

_STEP = 1024 * 1024  # most that one step of decompression may add
_GZIP = zlib.MAX_WBITS | 16


class BodyFault(Exception):
    """A body that is not what its headers promise; the text says how."""


class BodyTooLarge(BodyFault):
    """A body beyond the limit; asking again would bring as much."""


class _Decoder(Protocol):
    def feed(self, part: bytes) -> Iterator[bytes]: ...
    def finish(self) -> None: ...


class _Plain:
    """No encoding: parts are what they are."""

    def feed(self, part: bytes) -> Iterator[bytes]:
        yield part

    def finish(self) -> None:
        """Nothing can be left over."""


class _Gzip:
    """Decompresses in bounded steps, so that a small part cannot fill the memory."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP)

    def feed(self, part: bytes) -> Iterator[bytes]:
        try:
            while part and not self._inner.eof:
                yield self._inner.decompress(part, _STEP)
                part = self._inner.unconsumed_tail
        except zlib.error as error:
            raise BodyFault("its gzip data is damaged") from error

    def finish(self) -> None:
        if not self._inner.eof:
            raise BodyFault("its gzip data ends too early")


def _decoder(encoding: str) -> _Decoder:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Gzip()
        case _:
            raise BodyFault("it is in an encoding that was not asked for")


def read_body(response: httpx.Response, *, limit: int, check: Callable[[], None]) -> bytes:
    """The decoded body of an answer.

    Args:
        response: an answer whose stream has not been read.
        limit: most bytes taken, after decompression.
        check: called after each part; raises when time is up.

    Raises:
        BodyFault: too large, damaged, or in an encoding that was not asked for.
        httpx.TransportError: the connection broke or fell silent.
    """
    decoder = _decoder(response.headers.get("content-encoding", "identity"))
    chunks: list[bytes] = []
    size = 0
    for part in cast("httpx.SyncByteStream", response.stream):  # as encoded, in large parts
        check()
        for chunk in decoder.feed(part):
            size += len(chunk)
            if size > limit:
                raise BodyTooLarge(f"it is larger than {limit} bytes")
            chunks.append(chunk)
    decoder.finish()
    return b"".join(chunks)
