"""Answers that break the rules of HTTP, written to the connection byte by byte."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_MEGABYTE = 2**20


class ExposedProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which lets the application reach its transport.

    uvicorn itself would not send a broken answer: it mends or refuses it.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Puts the transport where each request of the connection finds it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    def shutdown(self) -> None:
        """Ends the connection at once: an answer that drips would hold the server up."""
        super().shutdown()
        self.transport.abort()


class Hangup(Response):
    """Writes bytes as they are, cuts the connection, and is done when it is gone.

    Args:
        request: the request it answers.
        raw: everything to send, status line and headers included.
        after: seconds to wait before cutting the connection.
    """

    def __init__(self, request: Request, raw: bytes = b"", *, after: float = 0.0) -> None:
        super().__init__()
        self._transport = cast("asyncio.Transport", request.scope["state"]["transport"])
        self._raw = raw
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answers as an ASGI application."""
        self._transport.write(self._raw)
        gone = asyncio.create_task(_disconnected(receive))
        await asyncio.wait([gone], timeout=self._after)
        self._transport.close()
        await gone


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def truncated(request: Request, response: Response, mode: str, keep: int) -> Response:
    """A good answer whose body ends too early, see `Fault.mode` and `Fault.keep`."""
    body = bytes(response.body)
    part = body[: len(body) * keep // 100]
    framing = {
        "length": b"content-length: %d\r\n\r\n" % len(body),
        "chunk": b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(body),
        "close": b"connection: close\r\n\r\n",
    }[mode]
    head = b"HTTP/1.1 %d \r\ncontent-type: application/json\r\n" % response.status_code
    return Hangup(request, head + framing + part)


def dripping(response: Response, chunk: int, seconds: float) -> Response:
    """A good answer that takes its time."""
    body = bytes(response.body)

    async def drops() -> AsyncIterator[bytes]:
        for start in range(0, len(body), chunk):
            yield body[start : start + chunk]
            await asyncio.sleep(seconds)

    return StreamingResponse(drops(), response.status_code, _headers(len(body)))


def padded(response: Response, size: int) -> Response:
    """A good answer with white space up to `size` bytes: still JSON, and too much of it."""
    body = bytes(response.body)
    total = max(size, len(body))
    return StreamingResponse(_aiter(_padding(body, total)), response.status_code, _headers(total))


def gzip_bomb(response: Response, size: int) -> Response:
    """The same, compressed to about a thousandth of it."""
    pack = zlib.compressobj(1, wbits=31)
    pieces = [pack.compress(piece) for piece in _padding(bytes(response.body), size)]
    packed = b"".join([*pieces, pack.flush()])
    headers = _headers(len(packed)) | {"content-encoding": "gzip"}
    return Response(packed, response.status_code, headers)


def _padding(body: bytes, size: int) -> Iterator[bytes]:
    yield body
    for start in range(len(body), size, _MEGABYTE):
        yield b" " * min(_MEGABYTE, size - start)


async def _aiter(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _headers(length: int) -> dict[str, Any]:
    return {"content-type": "application/json", "content-length": str(length)}
