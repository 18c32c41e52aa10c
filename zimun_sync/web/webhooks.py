"""`POST /webhooks/{source}`, as a plain ASGI endpoint: every event passes here, so it is lean."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.types import Message, Receive, Scope, Send

from zimun_sync.errors import StoreError
from zimun_sync.events import WebhookRefused
from zimun_sync.store import Received
from zimun_sync.web.endpoints import Endpoints
from zimun_sync.web.intake import RETRY_SECONDS, Intake
from zimun_sync.zimun import SignatureRefused, Verified

PREFIX: Final = b"/webhooks/"
_JSON: Final = (b"content-type", b"application/json")
_RETRY: Final = ((b"retry-after", str(RETRY_SECONDS).encode()),)
_ALLOW: Final = ((b"allow", b"POST"),)
_MICROSECONDS: Final = 1_000_000
#: As long as a source's name may be: others are told of, cut short.
_NAME_LENGTH: Final = 63


class _Refused(Exception):
    """A request is answered with an error.

    Args:
        status: of the answer.
        code: a stable word for the answer.
        message: for whoever sent it; tells nothing of ours.
        reason: for our own log, where it may say more.
        headers: more of them.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        reason: str = "",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason or message
        self.body = msgspec.json.encode({"error": code, "message": message})
        self.headers = headers


class _Gone(Exception):
    """The client went away before its request was whole."""


class Webhooks:
    """Answers every request whose path begins with `/webhooks/`.

    Args:
        endpoints: the sources' verifiers and the intake.
        max_body_bytes: the largest body taken.
        clock: seconds since the epoch, for events that carry no time.
    """

    def __init__(
        self, endpoints: Endpoints, max_body_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._endpoints = endpoints
        self._max_body_bytes = max_body_bytes
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: 202 once its event is durable."""
        source = scope["raw_path"][len(PREFIX) :].decode("ascii")
        try:
            await self._take(source, scope, receive)
        except _Refused as refused:
            told = WebhookRefused(source[:_NAME_LENGTH], refused.status, refused.reason)
            self._endpoints.emit(told)
            await _respond(send, refused.status, refused.body, refused.headers)
        except _Gone:
            return  # there is nobody to answer
        else:
            await _respond(send, HTTPStatus.ACCEPTED, b'{"status":"accepted"}')

    async def _take(self, source: str, scope: Scope, receive: Receive) -> None:
        intake = self._endpoints.intake
        if intake is None:
            raise _unavailable("It is not ready to take events yet.")
        verifier = self._endpoints.verifiers().get(source)
        if verifier is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "not-found", "No webhooks are taken here.")
        if scope["method"] != "POST":
            raise _Refused(
                HTTPStatus.METHOD_NOT_ALLOWED, "not-post", "Events are posted.", headers=_ALLOW
            )
        headers = dict(scope["headers"])
        self._check_form(headers)
        body = await _read(receive, self._max_body_bytes)
        try:
            verified = verifier.verify(headers, body)
        except SignatureRefused as error:
            raise _Refused(HTTPStatus.UNAUTHORIZED, error.code, error.message) from None
        await _store(intake, self._received(source, verified, body))

    def _check_form(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse what need not be read at all."""
        if int(headers.get(b"content-length", 0)) > self._max_body_bytes:
            raise _too_large(self._max_body_bytes)
        if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise _Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoded", "Events are taken uncompressed only."
            )

    def _received(self, source: str, verified: Verified, body: bytes) -> Received:
        sent_at = verified.sent_at
        if sent_at is None:
            sent_at = int(self._clock() * _MICROSECONDS)
        return Received(source, verified.event_id, sent_at, body)


async def _read(receive: Receive, limit: int) -> bytes:
    """The body as it came, whatever its length was said to be."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        parts.append(message["body"])
        more = message["more_body"]
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
    return b"".join(parts)


async def _store(intake: Intake, event: Received) -> None:
    try:
        await intake.take(event)
    except StoreError as error:
        raise _unavailable(error.message) from None
    except asyncio.CancelledError:  # the server ends, and its patience with it
        raise _unavailable("The event was not stored before the daemon had to end.") from None


def _too_large(limit: int) -> _Refused:
    return _Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        f"Events of more than {limit} bytes are not taken.",
    )


def _unavailable(reason: str) -> _Refused:
    message = "The event was not stored; send it again."
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return _Refused(status, "unavailable", message, reason, headers=_RETRY)


async def _respond(
    send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
