"""Sends one request and brings its answer, or says as a sink's error why there is none."""

import ssl
import time
from http import HTTPStatus
from typing import Final

import httpx

from zimun_sync import __version__
from zimun_sync.errors import SinkBroken, SinkError, SinkUnavailable
from zimun_sync.network.body import ACCEPT_ENCODING, BodyFault, read_body
from zimun_sync.network.failures import causes, is_untrusted
from zimun_sync.network.headers import retry_after
from zimun_sync.network.reach import AddressRefused, Reach
from zimun_sync.network.remarks import remark, without_secrets
from zimun_sync.network.transport import DEADLINE, DeadlineTransport
from zimun_sync.remotes.answers import Answer
from zimun_sync.remotes.contract import NotSent

#: Largest answer taken, bytes after decompression.
MAX_BYTES: Final = 32 * 1024 * 1024

#: Sent with every request.
DEFAULT_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": ACCEPT_ENCODING,
    "User-Agent": f"zimun-sync/{__version__}",
}

_TOO_EARLY: Final = 425
#: Turned away before anything was done; 407 by a proxy, without the remote.
_TURNED_AWAY: Final = {
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
    _TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
#: A handshake that merely broke off may succeed the next time.
_PASSING = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)

_LATER: Final = "It is tried again by itself; if it lasts, check the address and the network."


class Exchange:
    """Sends requests, keeping connections to one host open; used by one thread.

    Args:
        deadline: seconds within which a request must be over, body included.
        max_bytes: largest answer taken, after decompression.
        reach: how far requests may go.
    """

    def __init__(
        self, *, deadline: float, max_bytes: int = MAX_BYTES, reach: Reach = Reach.PUBLIC
    ) -> None:
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._reach = reach
        self._origin = ""
        self._transport: DeadlineTransport | None = None
        self._extensions = {"timeout": httpx.Timeout(deadline).as_dict(), DEADLINE: deadline}

    def send(self, request: httpx.Request, secrets: tuple[str, ...] = ()) -> Answer:
        """Send it once and return whatever was answered, of any status.

        Args:
            request: what to send.
            secrets: values in it that no message may repeat.

        Raises:
            SinkUnavailable: no answer came, or none that can be read; `NotSent` where not even
                a connection came about.
            SinkBroken: the request cannot be sent at all, or there is no trusted connection, or
                its host leads to where requests may not go.
        """
        request.extensions = self._extensions
        until = time.monotonic() + self._deadline
        try:
            response = self._way(request.url).handle_request(request)
            try:
                body = read_body(response, limit=self._max_bytes, check=lambda: _check(until))
            finally:
                response.close()
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol):
            raise unsendable(named(request)) from None  # its text may quote a secret header
        except AddressRefused as error:
            raise _refused(named(request), error) from error
        except httpx.TransportError as error:
            raise self._failed(named(request), error) from error
        except BodyFault as error:
            raise SinkUnavailable(
                f"The answer to {named(request)} cannot be read: {error}.", hint=_LATER
            ) from error
        if httpx.codes.is_error(response.status_code):
            body = without_secrets(body, secrets)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, body, named(request), secrets)

    def close(self) -> None:
        """Close its connections. Idempotent."""
        if self._transport is not None:
            self._transport.close()
            self._transport, self._origin = None, ""

    def _way(self, url: httpx.URL) -> DeadlineTransport:
        """The way to a host; another host may be behind another proxy."""
        origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
        if self._transport is None or origin != self._origin:
            self.close()
            self._transport, self._origin = DeadlineTransport(origin, self._reach), origin
        return self._transport

    def _failed(self, call: str, error: httpx.TransportError) -> SinkError:
        if isinstance(error, httpx.ConnectTimeout):
            return NotSent(
                f"No connection for {call} within {self._deadline:g} seconds.", hint=_LATER
            )
        if isinstance(error, httpx.TimeoutException):
            return SinkUnavailable(
                f"{call} was not over within {self._deadline:g} seconds.",
                hint="It is tried again by itself; if it lasts, raise request_deadline.",
            )
        if is_untrusted(error):
            return SinkBroken(
                f"{call} was not sent: the server's certificate is not trusted.",
                hint="Check the address and this machine's date; where a company's own authority "
                "signs certificates, point SSL_CERT_FILE to its certificate. Then resume.",
            )
        if isinstance(error, httpx.ConnectError) and _is_no_tls(error):
            return SinkBroken(
                f"{call} was not sent: no encrypted connection could be agreed upon.",
                hint="Check that the address, with its port, is one for https; then resume.",
            )
        if isinstance(error, httpx.ConnectError | httpx.ProxyError):
            return NotSent(f"No connection for {call}: {error}.", hint=_LATER)
        return SinkUnavailable(f"The connection broke during {call}.", hint=_LATER)


def refuse_if_busy(answer: Answer) -> None:
    """Raise for an answer that judges nothing of what was sent.

    Raises:
        NotSent: 407, 425 or 429, with the time that the server asks for.
        SinkUnavailable: 408 or 5xx, likewise.
    """
    status = answer.status
    turned_away = status in _TURNED_AWAY
    late = status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if not (turned_away or late):
        return
    said = remark(answer.body, answer.secrets)
    kind = NotSent if turned_away else SinkUnavailable
    raise kind(
        f"{answer.call} was answered {status}{': ' if said else '.'}{said}",
        retry_after=asked_wait(answer),
        hint="It is tried again by itself; if it lasts, see whether the system is out of order.",
    )


def asked_wait(answer: Answer) -> float | None:
    """Seconds that an answer's Retry-After asks to wait from now; None where it asks nothing."""
    headers = answer.headers
    return retry_after(headers.get("retry-after"), date=headers.get("date"), received=time.time())


def named(request: httpx.Request) -> str:
    """How messages call a request: no query, for it may hold personal data."""
    path = request.url.raw_path.partition(b"?")[0].decode("ascii")
    return f"{request.method} {path} at {request.url.netloc.decode('ascii')}"


def unsendable(call: str) -> SinkBroken:
    """The error for a request that HTTP does not allow; says nothing of its headers."""
    return SinkBroken(
        f"{call} cannot be sent: its address or a header holds what HTTP does not allow.",
        hint="Check the configured address, credentials and headers for line breaks and letters "
        "outside ASCII; then resume.",
    )


def _refused(call: str, error: AddressRefused) -> SinkBroken:
    allow = "If that is meant, set allow_private: true for this sink; else correct the address. "
    hint = allow if error.curable else "Correct the address. "
    return SinkBroken(f"{call} was not sent: {error}.", hint=f"{hint}Then resume.")


def _check(until: float) -> None:
    if time.monotonic() > until:
        raise httpx.ReadTimeout("the request's deadline has passed")


def _is_no_tls(error: httpx.TransportError) -> bool:
    return any(
        isinstance(cause, ssl.SSLError) and not isinstance(cause, _PASSING)
        for cause in causes(error)
    )
