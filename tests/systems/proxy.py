"""A proxy before a real system: it counts, and lets go wrong what a real system rarely does."""

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

#: Headers that concern one connection only.
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True, slots=True)
class Sent:
    """A request on its way to the system."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """An answer on its way back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Before = Callable[[Sent], Sent | Told]
After = Callable[[Sent, Told], Told | None]


class Proxy:
    """Passes requests on.

    Args:
        target: scheme, host and port of the system.
        address: its own.
    """

    def __init__(self, target: str, address: str) -> None:
        self.target = target
        self.address = address
        self.pass_on()

    def pass_on(self) -> None:
        """Change nothing any more."""
        #: What is sent in place of a request, or answered to it without asking the system.
        self.before: Before = lambda sent: sent
        #: What is answered in place of an answer; None hangs up.
        self.after: After = lambda _sent, told: told

    def answer(self, sent: Sent) -> Told | None:
        """What a client gets."""
        passed = self.before(sent)
        told = passed if isinstance(passed, Told) else self._forward(passed)
        return self.after(sent, told)

    def _forward(self, sent: Sent) -> Told:
        host = urlsplit(self.target).netloc
        with closing(http.client.HTTPConnection(host, timeout=60)) as connection:
            connection.request(sent.method, sent.path, sent.body, dict(sent.headers))
            answer = connection.getresponse()
            return Told(answer.status, _kept(dict(answer.getheaders())), answer.read())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Proxy

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length", 0))
        headers = _kept(dict(self.headers.items()))
        sent = Sent(self.command, self.path, headers, self.rfile.read(length))
        told = self.proxy.answer(sent)
        if told is None:
            self.close_connection = True
            return
        self._tell(told)

    def _tell(self, told: Told) -> None:
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(told.body)))
        self.end_headers()
        self.wfile.write(told.body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the system itself keeps a log."""


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """A proxy before a system, until the block ends."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    proxy = Proxy(target, f"http://127.0.0.1:{server.server_port}")
    handler.proxy = proxy  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP}
