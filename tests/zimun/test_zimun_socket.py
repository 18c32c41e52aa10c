"""Faults that only a real socket has: cut bodies, dripping bytes, bombs, stale connections."""

import gzip
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import pytest

from zimun_sync.errors import MalformedAnswer, SourceUnavailable
from zimun_sync.network.reach import Reach
from zimun_sync.network.transport import DeadlineTransport
from zimun_sync.zimun import ClientSettings, Timing, ZimunClient

if TYPE_CHECKING:
    from tests.zimun.conftest import SocketServer

Connect = Callable[..., ZimunClient]
Behaviour = Callable[[socket.socket], None]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BODY = b'{"items": [1, 2], "next_page_token": null}'


def plays(data: bytes) -> Behaviour:
    return lambda connection: connection.sendall(data)


def whole(body: bytes, headers: bytes = b"") -> Behaviour:
    return plays(HEAD + headers + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


def drips(start: bytes) -> Behaviour:
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


GOOD = whole(BODY)
CUT_LENGTH = plays(HEAD + b"Content-Length: 999\r\n\r\n" + BODY)
CUT_CHUNK = plays(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n" + BODY)
MISSING_CHUNK = plays(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(BODY), BODY))
CLOSED_EARLY = plays(HEAD + b"Connection: close\r\n\r\n" + b'{"items": [1]}')
CUT_GZIP = whole(gzip.compress(BODY)[:-12], b"Content-Encoding: gzip\r\n")


@pytest.mark.parametrize("cut", [CUT_LENGTH, CUT_CHUNK, MISSING_CHUNK, CLOSED_EARLY, CUT_GZIP])
def test_a_cut_body_is_asked_for_again(
    server: "SocketServer", connect: Connect, cut: Behaviour
) -> None:
    server.behaviours[:] = [cut, GOOD]
    assert len(connect().page("staff").items) == 2
    assert len(server.heads) == 2


@pytest.mark.parametrize("cut", [CUT_LENGTH, CUT_CHUNK, MISSING_CHUNK, CLOSED_EARLY, CUT_GZIP])
def test_a_body_that_is_always_cut_is_never_taken_for_the_last_page(
    server: "SocketServer", connect: Connect, cut: Behaviour
) -> None:
    server.behaviours[:] = [cut]
    with pytest.raises(MalformedAnswer, match="GET /staff"):
        connect(max_malformed=2).page("staff")
    assert len(server.heads) == 2


def test_a_body_may_end_with_its_connection(server: "SocketServer", connect: Connect) -> None:
    server.behaviours[:] = [plays(HEAD + b"Connection: close\r\n\r\n" + BODY)]
    assert len(connect().page("staff").items) == 2


@pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip"])
def test_a_compressed_body_is_read(
    server: "SocketServer", connect: Connect, encoding: bytes
) -> None:
    headers = b"Content-Encoding: %s\r\n" % encoding
    server.behaviours[:] = [whole(gzip.compress(BODY), headers)]
    assert connect().page("staff").size == len(BODY)
    assert b"Accept-Encoding: gzip\r\n" in server.heads[0]


def test_a_gzip_bomb_is_cut_off_while_it_unfolds(server: "SocketServer", connect: Connect) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    server.behaviours[:] = [whole(bomb, b"Content-Encoding: gzip\r\n")]
    with pytest.raises(MalformedAnswer, match="max_response_bytes"):
        connect(max_response_bytes=1_000_000).page("staff")
    assert len(server.heads) == 1


@pytest.mark.parametrize(
    "start",
    [
        HEAD + b"Content-Length: 100000\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\n",
        HEAD + b"X-Slow:",
        b"HTTP/1.1 2",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4;",
    ],
)
def test_a_dripping_answer_is_cut_off_at_the_deadline(
    server: "SocketServer", connect: Connect, start: bytes
) -> None:
    """Each byte comes well within the read timeout; only the deadline can end this."""
    server.behaviours[:] = [drips(start)]
    with pytest.raises(SourceUnavailable, match=r"request_deadline, 0\.3 seconds"):
        connect(Timing(), request_deadline=0.3, max_attempts=1).page("staff")
    assert len(server.heads) == 1


def test_no_time_at_all_is_an_answer_too(server: "SocketServer", connect: Connect) -> None:
    with pytest.raises(SourceUnavailable, match="request_deadline"):
        connect(Timing(), request_deadline=1e-9, max_attempts=1).page("staff")
    assert server.heads == []


def test_without_a_deadline_the_transport_is_an_ordinary_one(server: "SocketServer") -> None:
    server.behaviours[:] = [GOOD]
    with httpx.Client(transport=DeadlineTransport("http://127.0.0.1", Reach.PRIVATE)) as plain:
        assert plain.get(f"http://{server.address}/").content == BODY


def test_a_lost_connection_is_made_again(server: "SocketServer", connect: Connect) -> None:
    def hangs_up(connection: socket.socket) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    server.behaviours[:] = [hangs_up, GOOD]
    assert len(connect().page("staff").items) == 2


def test_a_connection_the_server_closed_while_idle_is_no_failure(
    server: "SocketServer", connect: Connect
) -> None:
    """The answer promises keep-alive, and the connection is closed all the same."""
    server.behaviours[:] = [GOOD]
    client = connect()
    for _ in range(3):
        assert len(client.page("staff").items) == 2


def test_nobody_listening_is_one_clear_message(server: "SocketServer", connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    client = connect(base_url=f"http://127.0.0.1:{port}/api/v1")
    with pytest.raises(SourceUnavailable, match=r"POST /oauth/token at 127\.0\.0\.1.*refused"):
        client.page("staff")


def test_something_that_speaks_no_http_is_one_clear_message(
    server: "SocketServer", connect: Connect
) -> None:
    server.behaviours[:] = [plays(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")]
    with pytest.raises(SourceUnavailable, match="GET /staff"):
        connect(max_attempts=2).page("staff")


def test_tls_to_a_server_without_it_is_one_clear_message(
    server: "SocketServer", connect: Connect
) -> None:
    server.behaviours[:] = [plays(b"HTTP/1.1 400 Bad Request\r\n\r\n")]
    with pytest.raises(SourceUnavailable, match="POST /oauth/token"):
        connect(base_url=f"https://{server.address}/api/v1", max_attempts=1).page("staff")


def test_a_proxy_of_the_environment_is_used(
    server: "SocketServer", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:pw@{server.address}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.behaviours[:] = [GOOD]
    settings = ClientSettings.model_validate(
        {
            "base_url": "http://zimun.invalid/api/v1",
            "allow_plain_http": True,
            "client_id": "id",
            "client_secret": "secret",
        }
    )
    with ZimunClient(settings) as client:
        assert len(client.page("staff").items) == 2
    assert server.heads[0].startswith(b"GET http://zimun.invalid/api/v1/staff?page_size=200 ")
    assert b"Proxy-Authorization: Basic bWU6cHc=" in server.heads[0]


@pytest.mark.parametrize("exempt", [None, "127.0.0.1"])
def test_this_machine_is_never_asked_for_through_a_proxy(
    server: "SocketServer",
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    exempt: str | None,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    if exempt:
        monkeypatch.setenv("no_proxy", exempt)
    server.behaviours[:] = [GOOD]
    assert len(connect().page("staff").items) == 2
