"""A real HTTP server on this machine that answers what a test lines up."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; `Content-Length` is added to the headers."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int


#: What is done with a connection once its request was read.
Play = Callable[[socket.socket], None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else an answer in two parts waits 40 ms
    timeout = 10
    loopback: ClassVar["Loopback"]

    def handle_any(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.loopback.seen.append(
            Seen(
                self.command,
                self.path,
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
                self.client_address[1],
            )
        )
        answer = self.loopback.next()
        if isinstance(answer, Reply):
            self._reply(answer)
        else:
            self.close_connection = True
            answer(self.connection)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names of its base

    def _reply(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_args: object) -> None:
        """The tests look at `Loopback.seen` instead."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests want."""


class Loopback:
    """Answers with what is in line, the last of it for ever.

    Args:
        tls: encrypts with this context's certificate.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.line: list[Reply | Play] = [Reply()]
        self.seen: list[Seen] = []
        handler = type("Handler", (_Handler,), {"loopback": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def answers(self, *line: Reply | Play) -> None:
        self.line[:] = line

    def next(self) -> Reply | Play:
        return self.line.pop(0) if len(self.line) > 1 else self.line[0]

    def close(self) -> None:
        """End once all clients have hung up."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def drips(start: bytes) -> Play:
    """Sends a beginning and then a byte each 10 ms, until the client hangs up."""

    def play(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.settimeout(0.01)
        for _ in range(3000):
            try:
                if connection.recv(1) == b"":
                    return
            except TimeoutError:
                connection.sendall(b" ")

    return play


def sends(data: bytes) -> Play:
    """Sends these bytes and hangs up."""
    return lambda connection: connection.sendall(data)


def silent(connection: socket.socket) -> None:
    """Says nothing until the client hangs up."""
    connection.recv(1)


def unused_address() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"
