"""A clock that never sleeps, an API that answers what a test lines up, and real sockets."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from zimun_sync.zimun import ClientSettings, Timing, Waiting, ZimunClient

#: What a test lines up: an answer, an error to raise, or something that makes an answer.
Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


@dataclass
class FakeTime:
    """Time that passes only when someone waits."""

    now: float = 1_800_000_000.0
    jitter: float = 0.5
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def timing(self) -> Timing:
        return Timing(
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            random=lambda: self.jitter,
            sleep=self.sleep,
        )


@dataclass
class FakeApi:
    """Gives a token to whoever asks, and otherwise the answers in line; the last one stays."""

    time: FakeTime
    line: list[Answer] = field(default_factory=list)
    sign_ins: list[Answer] = field(default_factory=list)
    expires_in: float | None = 3600
    requests: list[httpx.Request] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    tokens: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answers(self, *answers: Answer) -> None:
        self.line[:] = answers

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            if request.url.path == "/oauth/token":
                return self._sign_in(request)
            self.requests.append(request)
            self.times.append(self.time.now)
            return _given(self.line, request)

    def _sign_in(self, request: httpx.Request) -> httpx.Response:
        self.tokens += 1
        if self.sign_ins:
            return _given(self.sign_ins, request)
        body: dict[str, Any] = {"access_token": f"token-{self.tokens}", "token_type": "Bearer"}
        if self.expires_in is not None:
            body["expires_in"] = self.expires_in
        return httpx.Response(200, json=body)


def _given(line: list[Answer], request: httpx.Request) -> httpx.Response:
    answer = line.pop(0) if len(line) > 1 else line[0]
    if isinstance(answer, Exception):
        raise answer
    return answer if isinstance(answer, httpx.Response) else answer(request)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def api(time: FakeTime) -> FakeApi:
    return FakeApi(time)


@pytest.fixture
def waits() -> list[Waiting]:
    return []


@pytest.fixture
def make_client(api: FakeApi, time: FakeTime, waits: list[Waiting]) -> Callable[..., ZimunClient]:
    def make(**settings: Any) -> ZimunClient:
        given = {"client_id": "id", "client_secret": "secret", **settings}
        return ZimunClient(
            ClientSettings(**given),
            transport=httpx.MockTransport(api),
            timing=time.timing,
            observer=waits.append,
        )

    return make


@pytest.fixture
def client(make_client: Callable[..., ZimunClient]) -> ZimunClient:
    return make_client()


#: What a scripted server does with one connection, once the request has arrived.
Behaviour = Callable[[socket.socket], None]

TLS_HANDSHAKE = b"\x16"
TOKEN = b'{"access_token": "t", "expires_in": 3600}'


class SocketServer:
    """A server that plays the given behaviours, one per request, the last one for ever."""

    def __init__(self) -> None:
        self.behaviours: list[Behaviour] = []
        self.heads: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return  # closed by the test's end
            with connection:
                self._play(connection)

    def _play(self, connection: socket.socket) -> None:
        head = _read_request(connection)
        if b"/oauth/token" in head:
            length = len(TOKEN)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (length, TOKEN)
            )
        elif head:
            self.heads.append(head)
            play = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
            try:
                play(connection)
            except OSError:
                return  # the client hung up, as some tests want


def _read_request(connection: socket.socket) -> bytes:
    """The head of a request; its body, a short form, comes with or after it and is read too."""
    data = b""
    while part := connection.recv(65536):
        data += part
        ends = b"client_credentials" if data.startswith(b"POST") else b"\r\n\r\n"
        if data.endswith(ends) or data.startswith(TLS_HANDSHAKE):
            break
    return data


@pytest.fixture
def server() -> Iterator[SocketServer]:
    server = SocketServer()
    yield server
    server.close()


@pytest.fixture
def connect(server: SocketServer, time: FakeTime) -> Iterator[Callable[..., ZimunClient]]:
    """Clients of the scripted server, over real sockets, whose waits cost no time."""
    clients: list[ZimunClient] = []

    def connect(timing: Timing | None = None, **settings: Any) -> ZimunClient:
        given = {
            "base_url": f"http://{server.address}/api/v1",
            "client_id": "id",
            "client_secret": "secret",
            **settings,
        }
        clients.append(ZimunClient(ClientSettings(**given), timing=timing or time.timing))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
