"""One attempt at a call: send it, read the answer within its limits, say what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import httpx
from msgspec import Struct
from msgspec.structs import replace

from zimun_sync.network.body import ACCEPT_ENCODING, BodyFault, BodyTooLarge, read_body
from zimun_sync.network.failures import is_untrusted
from zimun_sync.network.remarks import remark
from zimun_sync.network.transport import DEADLINE
from zimun_sync.zimun.outcome import Fault, Outcome
from zimun_sync.zimun.settings import ClientSettings
from zimun_sync.zimun.timing import ServerClock, Timing
from zimun_sync.zimun.wire import Call, Reply

T = TypeVar("T")

#: Statuses whose error body helps to correct a call; those of others say nothing of use.
_TELLING: Final = {400, 401, 403, 409, 422}

#: Most of an error body that is read, bytes.
_LONGEST_ERROR_BODY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Tried(Generic[T]):
    """An attempt: its facts, its value if it has one, and what was raised if anything was."""

    outcome: Outcome
    value: T | None = None
    cause: Exception | None = None


class _Start(Struct, frozen=True):
    """When an attempt began: seconds since the epoch by our clock, and monotonic ones."""

    sent: float
    began: float


class Sender:
    """Makes attempts; safe to share between threads.

    Args:
        settings: timeouts and limits.
        transport: the way to the network.
        timing: the clocks.
    """

    def __init__(
        self, settings: ClientSettings, transport: httpx.BaseTransport, timing: Timing
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._timing = timing
        self._clock = ServerClock()
        self._headers = [
            ("Accept", "application/json"),
            ("Accept-Encoding", ACCEPT_ENCODING),
            ("User-Agent", settings.user_agent),
        ]
        timeout = httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout)
        self._extensions = {"timeout": timeout.as_dict(), DEADLINE: settings.request_deadline}

    @property
    def clock_ahead(self) -> float:
        """Seconds that the server's clock is ahead of ours, by its answers so far."""
        return self._clock.correction

    def send(self, call: Call, parse: Callable[[Reply], T], token: str) -> Tried[T]:
        """Make one attempt.

        Args:
            call: what to send.
            parse: makes a value of a good answer; raises BodyFault for a malformed one.
            token: bearer token; empty sends none.
        """
        request = self._request(call, token)
        start = _Start(self._timing.clock(), self._timing.monotonic())
        try:
            response = self._transport.handle_request(request)
        except httpx.TransportError as error:
            outcome = Outcome(f"{call.name} at {request.url.host}", call.purpose, call.scope)
            return self._broken(outcome, error, start)
        try:
            return self._read(call, parse, response, start)
        finally:
            response.close()

    def _request(self, call: Call, token: str) -> httpx.Request:
        headers = [*self._headers, *call.headers]
        if token:
            headers.append(("Authorization", f"Bearer {token}"))
        return httpx.Request(
            call.method,
            call.url,
            headers=headers,
            content=call.content,
            extensions=self._extensions,
        )

    def _read(
        self,
        call: Call,
        parse: Callable[[Reply], T],
        response: httpx.Response,
        start: _Start,
    ) -> Tried[T]:
        received = self._timing.clock()
        headers = response.headers
        self._clock.observe(headers.get("date"), sent=start.sent, received=received)
        outcome = Outcome(
            call.name,
            call.purpose,
            call.scope,
            status=response.status_code,
            retry_after=headers.get("retry-after"),
            date=headers.get("date"),
            received=received + self._clock.correction,
        )
        if not response.is_success:
            return Tried(replace(outcome, detail=self._remark(call, response, start)))
        try:
            body = self._body(response, start, self._settings.max_response_bytes)
            reply = Reply(
                headers.get("content-type", ""),
                body,
                requested_at=self._clock.instant(start.sent),
                received_at=self._clock.instant(received),
                correction=self._clock.correction,
            )
            return Tried(outcome, parse(reply))
        except BodyFault as error:
            return _malformed(outcome, error)
        except httpx.RemoteProtocolError as error:
            return _malformed(outcome, BodyFault("its body ends too early"), error)
        except httpx.TransportError as error:
            return self._broken(outcome, error, start)

    def _body(self, response: httpx.Response, start: _Start, limit: int) -> bytes:
        until = start.began + self._settings.request_deadline

        def check() -> None:
            if self._timing.monotonic() > until:
                raise httpx.ReadTimeout("the request's deadline has passed")

        try:
            return read_body(response, limit=limit, check=check)
        except BodyTooLarge as error:
            raise BodyTooLarge(f"it is larger than max_response_bytes, {limit}") from error

    def _remark(self, call: Call, response: httpx.Response, start: _Start) -> str:
        """What an error answer says; its status counts even where its body is broken."""
        try:
            body = self._body(response, start, _LONGEST_ERROR_BODY)
        except (BodyFault, httpx.TransportError):
            return ""
        return remark(body, call.private) if response.status_code in _TELLING else ""

    def _broken(self, outcome: Outcome, error: httpx.TransportError, start: _Start) -> Tried[T]:
        fault, detail = _explained(error)
        if isinstance(error, httpx.TimeoutException):
            detail = self._lateness(error, self._timing.monotonic() - start.began)
        return Tried(replace(outcome, fault=fault, detail=detail), cause=error)

    def _lateness(self, error: httpx.TimeoutException, took: float) -> str:
        settings = self._settings
        if took >= settings.request_deadline:
            return f"it took longer than request_deadline, {settings.request_deadline:g} seconds"
        if isinstance(error, httpx.ConnectTimeout):
            return f"no connection within connect_timeout, {settings.connect_timeout:g} seconds"
        return f"no byte came within read_timeout, {settings.read_timeout:g} seconds"


def _malformed(outcome: Outcome, fault: BodyFault, cause: Exception | None = None) -> Tried[T]:
    kind = Fault.TOO_LARGE if isinstance(fault, BodyTooLarge) else Fault.MALFORMED
    return Tried(replace(outcome, fault=kind, detail=str(fault)), cause=cause or fault)


def _explained(error: httpx.TransportError) -> tuple[Fault, str]:
    text = str(error) or "the connection broke"
    if is_untrusted(error):
        return Fault.UNTRUSTED, text
    unreachable = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
    return (Fault.UNREACHABLE if unreachable else Fault.BROKEN), text
