"""Bytes as they come from a network: lies about lengths, clients that leave, and nonsense."""

import socket
from collections.abc import Mapping
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import PATIENCE_SECONDS, Running, Stage, event, signed, wait_until
from zimun_sync.web import protocol

BODY = event()
CLOSE = {"connection": "close"}


def head(headers: Mapping[str, str], line: str = "POST /webhooks/main HTTP/1.1") -> bytes:
    lines = [line, "host: here", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def statuses(heard: bytes) -> list[int]:
    return [int(part[:3]) for part in heard.split(b"HTTP/1.1 ")[1:]]


def length(number: int) -> dict[str, str]:
    return {"content-length": str(number)}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNKED = {"transfer-encoding": "chunked"}


def test_a_length_over_the_cap_is_answered_before_any_of_it_is_sent(stage: Stage) -> None:
    running = stage.serve(max_body_bytes=1000)
    with closing(socket.create_connection(running.address, PATIENCE_SECONDS)) as connection:
        connection.sendall(head(signed(BODY) | length(10**12)))
        assert statuses(connection.recv(65536)) == [413]


def test_chunks_without_end_are_cut_off_at_the_cap(stage: Stage) -> None:
    running = stage.serve(max_body_bytes=1000)
    with closing(socket.create_connection(running.address, PATIENCE_SECONDS)) as connection:
        connection.sendall(head(signed(BODY) | CHUNKED) + chunk(b"x" * 600) * 2)
        assert statuses(connection.recv(65536)) == [413]
    assert running.stored() == []


def test_a_body_in_chunks_is_taken(running: Running) -> None:
    parts = [chunk(BODY[:10]), chunk(BODY[10:]), chunk(b"")]
    assert statuses(running.raw(head(signed(BODY) | CHUNKED | CLOSE), *parts)) == [202]
    assert running.stored() == [("msg_1", BODY)]


@pytest.mark.parametrize("sent", [b"", BODY[:-1]])
def test_a_client_that_leaves_before_its_body_is_whole_leaves_nothing(
    running: Running, sent: bytes
) -> None:
    with closing(socket.create_connection(running.address, PATIENCE_SECONDS)) as connection:
        connection.sendall(head(signed(BODY) | length(len(BODY))) + sent)
    assert running.raw(head(signed(BODY) | CHUNKED) + chunk(BODY), close=True) == b""
    assert running.post(BODY, signed(BODY, "msg_2")).status_code == 202
    assert running.stored() == [("msg_2", BODY)]
    assert running.refusals() == []


def test_a_body_longer_than_it_says_is_not_what_was_signed(running: Running) -> None:
    heard = running.raw(head(signed(BODY) | length(len(BODY) - 5)) + BODY)
    assert statuses(heard)[0] in {400, 401}
    assert running.stored() == []


@pytest.mark.parametrize(
    "request_",
    [
        head(length(5) | CHUNKED) + chunk(b"hello"),
        head({"content-length": "5, 6"}) + b"hello",
        head({"content-length": "-5"}) + b"hello",
        head({"content-length": "five"}) + b"hello",
        head({"content-length": "5\r\ncontent-length: 6"}) + b"hello!",
        head({"content-length": "9" * 40}) + b"hello",
        head(CHUNKED) + b"zz\r\nhello\r\n",
        head({"bad header": "x"}),
        head({"x": "a\0b"}),
        head({}, "POST /webhooks/caf\xe9 HTTP/1.1"),
        head({}, "POST /webhooks/main HTTP/7.9"),
        head({}, "POST http://[ HTTP/1.1"),
        head({}, "CONNECT elsewhere:443 HTTP/1.1"),
        head({}, "EAT /webhooks/main HTTP/1.1"),
        head({}, "webhooks"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xff" * 50,
    ],
)
def test_what_is_no_proper_request_is_400_and_the_connection_ends(
    running: Running, request_: bytes
) -> None:
    assert statuses(running.raw(request_)) == [400]
    assert running.stored() == []
    assert running.client.get("/livez").status_code == 200


def test_a_head_without_end_is_cut_off(running: Running) -> None:
    for start in (b"POST /webhooks/main HTTP/1.1\r\nx: ", b"POST /webhooks/"):
        assert statuses(running.raw(start.ljust(protocol.MAX_HEAD_BYTES + 1, b"x"))) == [400]


def test_trailers_without_end_are_cut_off(running: Running) -> None:
    start = head(signed(BODY) | CHUNKED) + chunk(BODY) + b"0\r\n"
    enough = protocol.MAX_HEAD_BYTES + len(BODY) + 1
    assert running.raw(start + b"x: y\r\n" * ((enough - len(start)) // 6 + 1)) == b""
    assert running.stored() == []


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"POST /webhooks/main HT",
        head({}),
        head(signed(BODY) | length(len(BODY))) + BODY[:-1],
        head(CHUNKED) + chunk(b"hello") + b"0\r\nx-more: and",
    ],
)
def test_who_does_not_finish_a_request_in_time_is_hung_up_on(
    running: Running, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_SECONDS", 0.05)
    finished = sent == head({})  # nothing says that a body follows
    assert statuses(running.raw(sent + b"GET" * finished)) == ([401] if finished else [])
    assert running.stored() == []


def test_who_only_keeps_a_connection_busy_is_hung_up_on(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "RECEIVE_SECONDS", 0.05)
    with closing(socket.create_connection(running.address, PATIENCE_SECONDS)) as connection:
        connection.sendall(head({}, "GET /livez HTTP/1.1"))
        assert statuses(connection.recv(65536)) == [200]
        connection.sendall(b"\r\n")  # the beginning of nothing
        assert connection.recv(65536) == b""


def test_requests_in_a_row_are_answered_in_a_row(running: Running) -> None:
    good = [head(signed(BODY, f"msg_{n}") | length(len(BODY))) + BODY for n in range(3)]
    bad = head(length(2)) + b"{}"
    health = head(CLOSE, "GET /livez HTTP/1.1")
    heard = running.raw(good[0] + bad + good[1] + good[2] + health)
    assert statuses(heard) == [202, 401, 202, 202, 200]
    assert len(running.stored()) == 3


def test_an_old_client_gets_its_answer_and_its_end(running: Running) -> None:
    old = "POST /webhooks/main HTTP/1.0"
    heard = running.raw(head(signed(BODY) | length(len(BODY)), old) + BODY)
    assert statuses(heard) == [202]


def test_a_client_that_waits_to_be_asked_for_its_body(running: Running) -> None:
    expecting = head(signed(BODY) | length(len(BODY)) | {"expect": "100-continue"} | CLOSE)
    with closing(socket.create_connection(running.address, PATIENCE_SECONDS)) as connection:
        connection.sendall(expecting)
        assert statuses(connection.recv(65536)) == [100]
        connection.sendall(BODY)
        assert statuses(connection.recv(65536)) == [202]


def test_nobody_is_upgraded(running: Running) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-key": "x"}
    line = "GET /webhooks/main HTTP/1.1"
    with closing(socket.create_connection(running.address, PATIENCE_SECONDS)) as connection:
        connection.sendall(head(upgrade, line))
        assert statuses(connection.recv(65536)) == [405]


def test_a_client_that_does_not_wait_for_its_answer_is_stored_all_the_same(
    running: Running,
) -> None:
    running.inbox.go_on.clear()
    with closing(socket.create_connection(running.address, PATIENCE_SECONDS)) as connection:
        connection.sendall(head(signed(BODY) | length(len(BODY))) + BODY)
        assert running.inbox.entered.wait(PATIENCE_SECONDS)
    running.inbox.go_on.set()
    wait_until(lambda: running.stored() == [("msg_1", BODY)])


printable = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40).map(
    lambda text: text.replace("\r", "").replace("\n", "")
)
header_names = st.sampled_from(
    [*signed(b""), "content-length", "content-encoding", "transfer-encoding", "expect", "host"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["/webhooks/main", "/webhooks/nobody", "/livez", "*"]),
    st.dictionaries(header_names, printable, max_size=4),
    st.binary(max_size=60),
)
def test_no_headers_and_no_body_lead_to_a_500_or_into_the_inbox(
    running: Running, path: str, headers: dict[str, str], body: bytes
) -> None:
    request_ = head(headers | CLOSE, f"POST {path} HTTP/1.1") + body
    answered = statuses(running.raw(request_, close=True))
    assert all(status < 500 for status in answered)
    assert running.stored() == []
