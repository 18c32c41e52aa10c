"""HTTP on a connection, bounded: uvicorn's protocol waits for ever, for heads of any length."""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Longest time from a request's first byte, or from connecting, to its last byte, seconds.
RECEIVE_SECONDS: Final = 30.0
#: Most bytes of a request that are not its body.
MAX_HEAD_BYTES: Final = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is closed when a request takes too long to come, or has no end of head.

    Bodies are bounded elsewhere: they are read as the endpoint asks for them, and what comes
    after an early answer is thrown away.
    """

    _patience: asyncio.TimerHandle | None = None
    _beside_body = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time."""
        super().connection_made(transport)
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless they are too many that belong to no body."""
        self._beside_body += len(data)
        if self._patience is None:
            self._be_patient()
        super().data_received(data)
        if self._beside_body > MAX_HEAD_BYTES and not self.transport.is_closing():
            if self._in_head:
                self.send_400_response("The request's head is too long.")
            else:
                self.transport.close()

    def on_message_begin(self) -> None:
        """A request's first byte is there."""
        super().on_message_begin()
        self._in_head = True
        self._be_patient()

    def on_headers_complete(self) -> None:
        """A request's head is there."""
        super().on_headers_complete()
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        """Some of a request's body is there."""
        self._beside_body = max(self._beside_body - len(body), 0)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is there as a whole; how long its answer takes is the endpoint's matter."""
        super().on_message_complete()
        self._beside_body = 0
        self._stop_waiting()

    def shutdown(self) -> None:
        """Answer what is there as a whole, and wait for nothing else: it will be sent again."""
        if self._patience is not None:
            self.transport.close()
        super().shutdown()

    def _be_patient(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(RECEIVE_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
