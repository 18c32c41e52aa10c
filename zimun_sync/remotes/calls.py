"""One HTTP request to a remote system: authorized, within its limits, its outcome told apart."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Event
from typing import Any, Protocol

import httpx
import msgspec

from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.network.reach import Reach
from zimun_sync.remotes.answers import Answer
from zimun_sync.remotes.contract import NotSent
from zimun_sync.remotes.exchange import (
    DEFAULT_HEADERS,
    MAX_BYTES,
    Exchange,
    asked_wait,
    refuse_if_busy,
    unsendable,
)
from zimun_sync.remotes.limits import Limits

__all__ = ["Answer", "Auth", "Caller", "Request"]

#: Statuses whose Retry-After speaks for the whole account.
_SILENCE = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class Auth(Protocol):
    """Gives the headers that authorize a request."""

    def headers(self) -> Mapping[str, str]:
        """The headers now, signing in first where that is needed.

        Raises:
            SinkUnavailable: signing in is not possible now.
            SinkBroken: the credentials were refused.
        """
        ...

    def refused(self) -> bool:
        """The last headers were answered 401; tells whether fresh ones are worth a try."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What to send.

    Args:
        method: HTTP method.
        path: below the base address, or an absolute address on the same host. What comes from
            a record is percent-encoded already.
        params: query parameters.
        json: body, encoded as JSON; None: no body.
        content: body as bytes, instead of `json`.
        headers: further headers.
        group: name of a limit of its own that it counts against too, such as `search`.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    group: str = ""


class Caller:
    """Sends requests to one remote account; used by one thread.

    Args:
        base_url: address that paths are below; or what tells it, asked for each request, for
            a system that names its address when one signs in.
        auth: authorizes them.
        limits: the account's limits, shared by every sink of the account in this process.
        deadline: seconds within which a request must be over, body included.
        max_bytes: largest answer taken, after decompression.
        reach: how far requests may go; `RemoteSettings.reach` tells what was configured.
    """

    def __init__(
        self,
        base_url: str | Callable[[], str],
        auth: Auth,
        limits: Limits,
        *,
        deadline: float,
        max_bytes: int = MAX_BYTES,
        reach: Reach = Reach.PUBLIC,
    ) -> None:
        self._base_url = base_url
        self._auth = auth
        self._limits = limits
        self._exchange = Exchange(deadline=deadline, max_bytes=max_bytes, reach=reach)
        self._called: Callable[[], None] = _nobody
        self._stop = Event()

    def begin(self, called: Callable[[], None], stop: Event) -> None:
        """Say who is told of each call, and what ends a wait: both are in `RemoteContext`.

        `called` may raise SinkUnavailable, and then the call is not made.
        """
        self._called = called
        self._stop = stop

    def call(self, request: Request) -> Answer:
        """Send it and return what the remote says.

        A 401 is answered by fresh credentials once. Redirects are not followed.

        Raises:
            SinkUnavailable: a timeout, a broken connection, 408 or 5xx (with `retry_after`
                where known): whether it was carried out is not known.
            NotSent: no connection, 429, no access token now, or a limit that would have to be
                waited for longer than a few seconds: nothing was carried out.
            SinkBroken: 401 with fresh credentials, an untrusted certificate, a path that leads
                to another host, a host that is out of reach.
        """
        answer = self._attempt(request)
        if answer.status == HTTPStatus.UNAUTHORIZED and self._auth.refused():
            answer = self._attempt(request)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise SinkBroken(
                f"{answer.call} was answered 401: the credentials are not accepted.",
                hint="Check the sink's credentials and what they are allowed to do; then resume.",
            )
        return answer

    def close(self) -> None:
        """Close its connections. Idempotent; a later call opens them again."""
        self._exchange.close()

    def _attempt(self, request: Request) -> Answer:
        self._limits.enter(request.group, self._stop)
        credentials, made = self._prepared(request)
        self._called()
        answer = self._exchange.send(made, _secrets(credentials))
        self._learn(answer)
        refuse_if_busy(answer)
        return answer

    def _prepared(self, request: Request) -> tuple[Mapping[str, str], httpx.Request]:
        try:
            credentials = self._auth.headers()
            return credentials, self._made(request, credentials)
        except SinkUnavailable as error:  # of the token endpoint: our request did not go out
            raise NotSent(error.message, retry_after=error.retry_after, hint=error.hint) from error

    def _learn(self, answer: Answer) -> None:
        self._limits.learn(answer.headers)
        if answer.status in _SILENCE:
            wait = asked_wait(answer)
            if wait is not None:
                self._limits.hold(wait)
            elif answer.status == HTTPStatus.TOO_MANY_REQUESTS:
                self._limits.exhausted()

    def _made(self, request: Request, credentials: Mapping[str, str]) -> httpx.Request:
        base = self._base_url if isinstance(self._base_url, str) else self._base_url()
        content = request.content
        given = dict(request.headers)
        if content is None and request.json is not None:
            content = msgspec.json.encode(request.json)
            given = {"Content-Type": "application/json", **given}
        try:
            headers = httpx.Headers(DEFAULT_HEADERS)
            headers.update(given)
            headers.update(credentials)
            url = _address(base, request.path).copy_merge_params(request.params)
            return httpx.Request(request.method, url, headers=headers, content=content)
        except (httpx.InvalidURL, ValueError):
            name = f"{request.method} {request.path.partition('?')[0]}"
            raise unsendable(name) from None  # its text may quote a secret header


def _address(base: str, path: str) -> httpx.URL:
    """Where a request goes; credentials are for the host of the base address only."""
    root = httpx.URL(base)
    if not path.startswith(("http://", "https://")):
        return httpx.URL(f"{base.rstrip('/')}/{path.lstrip('/')}") if path else root
    url = httpx.URL(path)
    if _origin(url) != _origin(root):
        raise SinkBroken(
            f"{root.host} refers to another host, {url.host}, which is not given its credentials.",
            hint="Configure the address where the system really is; then resume.",
        )
    return url


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _secrets(credentials: Mapping[str, str]) -> tuple[str, ...]:
    """Credentials as a whole, without the word `Bearer` or `Basic`, and the latter's password."""
    return tuple(part for value in credentials.values() for part in _parts(value))


def _parts(credential: str) -> Iterator[str]:
    scheme, _, rest = credential.partition(" ")
    yield credential
    yield rest
    if scheme == "Basic":
        with suppress(ValueError):  # base64 or UTF-8 that is none hides no password
            yield base64.b64decode(rest).decode().partition(":")[2]


def _nobody() -> None:
    """Counts nothing: a caller that has not begun has nobody to tell."""
