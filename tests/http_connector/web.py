"""A real HTTP server on loopback with a system behind it that speaks JSON and fails at will."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Call:
    """A request that came; `path` is decoded, `body` is None without one."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: JSON, or text as HTML."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fault:
    """Something that goes wrong with one call.

    Args:
        status: what is answered; None cuts the connection.
        commits: whether the call is carried out first.
        only: which calls it meets.
        times: how many; negative: all, until it is mended.
        body: what is answered.
        headers: of the answer.
    """

    status: int | None = 500
    commits: bool = False
    only: Callable[[Call], bool] = lambda _: True
    times: int = 1
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class JsonSystem(ABC):
    """A system on loopback: subclass it with `answer`. Use it as a context manager.

    Attributes:
        calls: every request that came, in order.
        faults: what goes wrong, each in its turn.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.lock = RLock()
        self._server = _server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @abstractmethod
    def answer(self, call: Call) -> Reply:
        """Carry a call out."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, fault: Fault) -> None:
        self.faults.append(fault)

    def sent(self, path: str) -> list[Call]:
        """The calls of a path."""
        return [call for call in self.calls if call.path == path]

    def handle(self, call: Call) -> Reply | None:
        """What to answer; None: cut the connection."""
        with self.lock:
            self.calls.append(call)
            fault = next((each for each in self.faults if each.only(call)), None)
            if fault is None:
                return self.answer(call)
            fault.times -= 1
            self.faults = [each for each in self.faults if each.times != 0]
            if fault.commits:
                self.answer(call)
            return None if fault.status is None else Reply(fault.body, fault.status, fault.headers)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _server(system: JsonSystem) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else an answer in two parts waits 40 ms
        timeout = 10

        def handle_any(self) -> None:
            reply = system.handle(self._call())
            if reply is None:
                self.close_connection = True
                return
            text = isinstance(reply.body, str)
            content = reply.body if text else json.dumps(reply.body)
            body = b"" if reply.body is None else str(content).encode()
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/html" if text else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _call(self) -> Call:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            form = headers.get("content-type", "").startswith("application/x-www-form")
            body = dict(parse_qsl(content.decode())) if form else json.loads(content or b"null")
            return Call(
                self.command, unquote(parts.path), dict(parse_qsl(parts.query)), headers, body
            )

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_args: object) -> None:
            """Tests look at `JsonSystem.calls`."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is what some tests want."""

    return Server(("127.0.0.1", 0), Handler)
