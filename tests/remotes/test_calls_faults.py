"""Faults on the way: what is tried again, what was surely not carried out, what needs a person."""

import gzip
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.remotes.loopback import Loopback, Play, Reply, drips, sends, silent, unused_address
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.network.reach import Reach
from zimun_sync.remotes.auth import Basic, BearerToken, FixedHeaders, NoAuth
from zimun_sync.remotes.calls import Auth, Caller, Request
from zimun_sync.remotes.contract import NotSent
from zimun_sync.remotes.limits import Limits, Pace

Connect = Callable[..., Caller]

PLENTY = Pace(per_window=1000, window_seconds=1.0)
DATE = "Fri, 20 Nov 2026 12:00:00 GMT"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def server() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def connect(server: Loopback) -> Iterator[Connect]:
    callers: list[Caller] = []

    def connect(auth: Auth | None = None, url: str = "", **more: Any) -> Caller:
        given = {"deadline": 10.0, "reach": Reach.PRIVATE, **more}
        limits = given.pop("limits", None) or Limits(PLENTY)
        callers.append(Caller(url or server.url, auth or NoAuth(), limits, **given))
        return callers[-1]

    yield connect
    for caller in callers:
        caller.close()


def fault(caller: Caller, path: str = "/contacts") -> SinkUnavailable:
    """What a call raises, which is no `SinkBroken`."""
    with pytest.raises(SinkUnavailable) as caught:
        caller.call(Request("POST", path, json={}))
    assert caught.value.hint
    return caught.value


# -- statuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_a_system_out_of_order_may_have_carried_it_out(
    server: Loopback, connect: Connect, status: int
) -> None:
    server.answers(Reply(status, b"<html>oops</html>"))
    error = fault(connect())
    assert not isinstance(error, NotSent)
    assert error.retry_after is None
    assert error.message == f"POST /contacts at {server.address} was answered {status}."


@pytest.mark.parametrize("status", [407, 425, 429])
def test_what_was_turned_away_was_not_carried_out(
    server: Loopback, connect: Connect, status: int
) -> None:
    server.answers(Reply(status, b'{"message": "slowly"}'))
    error = fault(connect())
    assert isinstance(error, NotSent)
    assert error.message.endswith(f"was answered {status}: slowly")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Fri, 20 Nov 2026 12:00:07 GMT", 7.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_the_time_that_the_server_names_is_passed_on_exactly(
    server: Loopback, connect: Connect, status: int, value: str, seconds: float | None
) -> None:
    server.answers(Reply(status, headers={"Retry-After": value, "Date": DATE}))
    assert fault(connect()).retry_after == seconds


@pytest.mark.parametrize("status", [429, 503])
def test_nobody_of_the_account_calls_before_that_time(
    server: Loopback, connect: Connect, status: int
) -> None:
    account = Limits(PLENTY)
    server.answers(Reply(status, headers={"Retry-After": "100"}), Reply())
    fault(connect(limits=account))
    error = fault(connect(limits=account))
    assert isinstance(error, NotSent)
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 100
    assert len(server.seen) == 1


def test_a_429_that_names_no_time_is_given_a_window(server: Loopback, connect: Connect) -> None:
    account = Limits(Pace(per_window=100, window_seconds=60.0))
    server.answers(Reply(429), Reply())
    fault(connect(limits=account))
    assert isinstance(fault(connect(limits=account)), NotSent)
    assert len(server.seen) == 1


def test_a_wait_ends_when_the_process_is_asked_to_end(server: Loopback, connect: Connect) -> None:
    account = Limits(Pace(per_window=1, window_seconds=10.0))
    stop = Event()
    stop.set()
    caller = connect(limits=account)
    caller.begin(lambda: None, stop)
    caller.call(Request("GET", "/"))
    with pytest.raises(NotSent, match="Stopped"):
        caller.call(Request("GET", "/"))
    assert len(server.seen) == 1


# -- connections ------------------------------------------------------------------------------


def test_without_a_connection_nothing_was_carried_out(connect: Connect) -> None:
    address = unused_address()
    error = fault(connect(url=f"http://{address}"))
    assert isinstance(error, NotSent)
    assert f"POST /contacts at {address}" in error.message


@pytest.mark.parametrize(
    "play",
    [
        silent,
        drips(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drips(HEAD + b"Content-Length: 99999\r\n\r\n"),
        drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n"),
    ],
)
def test_a_server_that_takes_its_time_meets_the_deadline(
    server: Loopback, connect: Connect, play: Play
) -> None:
    server.answers(play)
    error = fault(connect(deadline=0.3))
    assert not isinstance(error, NotSent)
    assert "not over within 0.3 seconds" in error.message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 2",
        b"SSH-2.0-server\r\n",
        HEAD + b"Content-Length: 99\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{}",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_an_answer_that_is_cut_or_garbled_may_have_been_a_success(
    server: Loopback, connect: Connect, data: bytes
) -> None:
    server.answers(sends(data))
    error = fault(connect())
    assert not isinstance(error, NotSent)
    assert "POST /contacts" in error.message


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b" " * 20_001),
        Reply(body=gzip.compress(b" " * 20_000_000), headers={"Content-Encoding": "gzip"}),
    ],
)
def test_a_huge_answer_is_not_taken(server: Loopback, connect: Connect, reply: Reply) -> None:
    server.answers(reply)
    assert "larger than 20000 bytes" in fault(connect(max_bytes=20_000)).message


def test_the_next_call_finds_its_way_after_a_fault(server: Loopback, connect: Connect) -> None:
    server.answers(sends(HEAD + b"Content-Length: 99\r\n\r\n{}"), Reply())
    caller = connect()
    fault(caller)
    assert caller.call(Request("GET", "/")).ok


# -- certificates -----------------------------------------------------------------------------


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's context with a certificate that nobody else signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(pem, *plain) + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_an_untrusted_certificate_needs_a_person(connect: Connect, tls: ssl.SSLContext) -> None:
    server = Loopback(tls)
    try:
        with pytest.raises(SinkBroken, match="certificate is not trusted") as caught:
            connect(url=f"https://{server.address}").call(Request("GET", "/a"))
    finally:
        server.close()
    assert "SSL_CERT_FILE" in caught.value.hint


def test_https_to_a_port_without_it_needs_a_person(server: Loopback, connect: Connect) -> None:
    with pytest.raises(SinkBroken, match="no encrypted connection"):
        connect(url=f"https://{server.address}").call(Request("GET", "/a"))


# -- what messages keep to themselves ---------------------------------------------------------


def test_no_message_holds_a_query(server: Loopback, connect: Connect) -> None:
    for reply in (Reply(500), Reply(429), silent, Reply(401)):
        server.answers(reply)
        caller = connect(deadline=0.3)
        with pytest.raises((SinkUnavailable, SinkBroken)) as caught:
            caller.call(Request("GET", "/find?q=zoe", params={"email": "zoe@example.org"}))
        assert "GET /find at" in str(caught.value)
        assert "zoe" not in str(caught.value)


def test_credentials_that_the_server_repeats_are_left_out(
    server: Loopback, connect: Connect
) -> None:
    said = b'{"message": "token s3cret-token of zoe@example.org: Bearer s3cret-token is odd"}'
    server.answers(Reply(500, said))
    message = fault(connect(BearerToken("s3cret-token"))).message
    assert "is odd" in message
    assert "s3cret" not in message
    assert "zoe" not in message


def test_a_remark_repeats_no_password(server: Loopback, connect: Connect) -> None:
    server.answers(Reply(400, b"<p>zoe may not sign in with s3cret</p>"))
    answer = connect(Basic("zoe", "s3cret")).call(Request("GET", "/"))
    assert answer.remark() == "zoe may not sign in with …"


@pytest.mark.parametrize("value", ["s3cret\r\nX: y", "s3crët", "s3cret\x00"])
def test_a_header_that_cannot_be_sent_is_not_quoted(connect: Connect, value: str) -> None:
    with pytest.raises(SinkBroken, match="cannot be sent") as caught:
        connect(FixedHeaders({"X-Key": value})).call(Request("GET", "/a"))
    assert "s3cr" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_address_that_is_none_needs_a_person(connect: Connect) -> None:
    for url in ("http://[::1", "ftp://crm.example", "crm.example"):
        with pytest.raises(SinkBroken, match="cannot be sent"):
            connect(url=url).call(Request("GET", "/a?q=zoe"))


def test_a_token_with_a_space_in_it_is_not_sent(server: Loopback, connect: Connect) -> None:
    with pytest.raises(SinkBroken, match="access token") as caught:
        connect(BearerToken("s3cret other")).call(Request("GET", "/a"))
    assert "s3cret" not in str(caught.value)
    assert not server.seen
