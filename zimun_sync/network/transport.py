"""The way to the network: a connection pool in which no byte is waited for past a deadline.

httpx knows a timeout for each read only, which a server that drips a byte now and then never
meets. Here every read and write is given what is left until the request's deadline. The pool is
httpcore's, the one below httpx itself, because httpx offers no way to hand it a network backend.
"""

import contextlib
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from zimun_sync.network.addresses import is_loopback, literal
from zimun_sync.network.reach import Reach

#: Key of `httpx.Request.extensions`: seconds within which the whole exchange must be over.
DEADLINE: Final = "zimun_sync.deadline"

_MAX_CONNECTIONS = 100
_KEEPALIVE_SECONDS = 30.0

_current = threading.local()  # httpcore works on the caller's thread, one request at a time


def _within(timeout: float | None) -> float | None:
    """The timeout, shortened to what is left until the deadline of this thread's request."""
    deadline: float | None = getattr(_current, "deadline", None)
    if deadline is None:
        return timeout
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the request's deadline has passed")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection whose every operation keeps the deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _within(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _within(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    """Opens connections that keep the deadline, to addresses within reach.

    Args:
        reach: how far connections may go; None: to a proxy, which the environment named.
    """

    def __init__(self, reach: Reach | None) -> None:
        self._reach = reach

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = [host] if self._reach is None else self._reach.resolve(host, port)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:  # the very ones that were judged: the name is not asked again
            limit = _within(timeout)
            try:
                inner = super().connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(inner)
        raise failure


@contextlib.contextmanager
def _as_httpx_errors() -> Iterator[None]:
    """Raise httpcore's errors as the httpx errors of the same name, as every transport does."""
    try:
        yield
    except (
        httpcore.TimeoutException,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error


class _Body(httpx.SyncByteStream):
    """An answer's body, read under the deadline of its request."""

    def __init__(self, parts: Any, deadline: float | None) -> None:
        self._parts = parts
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        _current.deadline = self._deadline
        with _as_httpx_errors():
            yield from self._parts

    def close(self) -> None:
        self._parts.close()


class DeadlineTransport(httpx.BaseTransport):
    """Talks HTTP/1.1 and ends each exchange within a request's `DEADLINE` extension.

    Args:
        url: an address at the host to talk to; tells whether the environment (`HTTPS_PROXY`,
            `NO_PROXY`) names a proxy for it.
        reach: how far requests may go. Where a proxy resolves names, only hosts that are IP
            addresses are judged here; for names its own rules have to do.
    """

    def __init__(self, url: str, reach: Reach = Reach.PUBLIC) -> None:
        self._reach = reach
        proxy = _proxy_for(url)
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls() if urlsplit(url).scheme == "https" else None,
            proxy=proxy,
            max_connections=_MAX_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=_Backend(reach if proxy is None else None),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the answer with its body still to be read.

        Raises:
            AddressRefused: the host leads to where requests may not go.
            httpx.TransportError: as httpx's own transport; a deadline is a ReadTimeout.
        """
        host = request.url.host
        address = literal(host)
        if address is not None:
            self._reach.check(host, str(address))
        seconds = request.extensions.get(DEADLINE)
        _current.deadline = None if seconds is None else time.monotonic() + seconds
        with _as_httpx_errors():
            answer = self._pool.handle_request(_as_httpcore(request))
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream, _current.deadline),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


@cache
def _tls() -> ssl.SSLContext:
    """The certificates that are trusted: reading them takes longer than a request."""
    return httpx.create_ssl_context()


def _as_httpcore(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _proxy_for(url: str) -> httpcore.Proxy | None:
    """The proxy the environment names for a host, as curl and httpx understand it."""
    parts = urlsplit(url)
    proxies = getproxies()
    address = proxies.get(parts.scheme) or proxies.get("all")
    if not address or is_loopback(url) or proxy_bypass(parts.hostname or ""):
        return None
    proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
    return httpcore.Proxy(str(proxy.url), auth=proxy.raw_auth)
