"""The network and the API misbehave: what passes is waited out, what lasts is told and undone."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.acceptance.program import Ended
from tests.faults.conftest import NewWorld
from tests.faults.world import AGAIN_AT_MOST, LAST_PAGE, ROWS, World, fetched_again
from tests.thorough import times
from zimun_sync.sandbox import Sandbox, SandboxOptions

FAILED = 1
#: Faults that pass, each on a page of its own. Every other row in the short suite.
PASSING = {
    "429 and 503 with each kind of Retry-After": [
        "429:page=1,retry_after=1",
        "503:page=2,retry_after=date+1",
        "429:page=3,retry_after=past",
        "503:page=4,retry_after=garbage",
        "429:page=5",
    ],
    "answers that are cut": [
        "truncate:page=1,mode=length",
        "truncate:page=2,mode=chunk",
        "truncate:page=3,mode=close",
        "missing-next-page-token:page=4",
        "drop:page=5",
    ],
    "answers that are something else": [
        "html:page=2",
        "repeat-page:page=3",
        "drift:page=4",
        "empty-last-token:page=6",
    ],
    "an access token that is revoked": ["revoke-token:page=2", "revoke-token:page=4"],
}


@pytest.mark.parametrize("faults", list(PASSING)[:: times(2, 1)])
def test_what_passes_is_waited_out(synced: World, faults: str) -> None:
    synced.change()
    synced.order(*PASSING[faults])
    ended = synced.sync()
    report = synced.sandbox.faults.report()
    synced.order()
    assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.err
    assert [fault["fired"] for fault in report] == [1] * len(report)
    assert synced.sandbox.observed.report()["too_early"] == 0
    assert synced.holds_the_truth()


@dataclass(frozen=True, slots=True)
class Lasting:
    """A fault that does not pass.

    Args:
        order: of the sandbox.
        says: words of the message and of what to do.
        settings: of the source.
        from_start: whether the next listing begins at its first page.
    """

    order: str
    says: tuple[str, ...]
    settings: dict[str, float] | None = None
    from_start: bool = False


#: Every fourth in the short suite.
LASTING = {
    "a byte now and then": Lasting(
        "drip:page=3,chunk=1,seconds=0.05,times=0",
        ("longer than request_deadline, 0.5 seconds",),
        {"request_deadline": 0.5, "max_attempts": 1},
    ),
    "a gzip bomb": Lasting(
        "gzip-bomb:page=3,times=0", ("larger than max_response_bytes", "max_response_bytes")
    ),
    "a huge page": Lasting(
        "huge-page:page=3,size=3000000,times=0",
        ("larger than max_response_bytes", "page_size"),
        {"max_response_bytes": 2_000_000},
    ),
    "another content type": Lasting("html:page=3,times=0", ("text/html, not JSON", "base_url")),
    "a body that ends with its connection": Lasting(
        "truncate:page=3,mode=close,times=0", ("not as promised", "truncated")
    ),
    "no next_page_token": Lasting(
        "missing-next-page-token:page=3,times=0", ("not as promised", "`next_page_token`")
    ),
    "page tokens in a circle": Lasting(
        "cycle:page=3,back=1,times=0", ("page token cycle", "tell Zimun"), from_start=True
    ),
    "a Retry-After of days": Lasting(
        "429:page=3,retry_after=huge,times=0", ("429", "as the API asks")
    ),
    "no answer but 401": Lasting("401:page=3,times=0", ("401", "client is active")),
    "no answer but 500": Lasting(
        "500:page=3,times=0",
        ("500", "what was done so far is kept"),
        {"max_attempts": 2, "max_elapsed": 1},
    ),
}


@pytest.mark.parametrize("fault", list(LASTING)[:: times(4, 1)])
def test_what_lasts_is_told_and_the_next_sync_goes_on(synced: World, fault: str) -> None:
    lasting = LASTING[fault]
    synced.change()
    synced.order(lasting.order)
    with settings(synced, lasting.settings or {}):
        assert_told(synced.sync(), *lasting.says)
    assert_goes_on(synced, from_start=lasting.from_start)


@contextmanager
def settings(world: World, changed: Mapping[str, Any]) -> Iterator[None]:
    """Settings of the source for the length of a block."""
    source = world.project.source
    before = dict(source)
    source.update(changed)
    world.project.save()
    yield
    source.clear()
    source.update(before)
    world.project.save()


def assert_told(ended: Ended, *words: str) -> None:
    """The run's error and hint, and no traceback."""
    assert (ended.code, "Traceback" in ended.err) == (FAILED, False), ended.err
    run = ended.json["runs"][-1]
    assert run["hint"]
    for word in words:
        assert word in f"{run['error']} {run['hint']}"


def assert_goes_on(world: World, *, from_start: bool = False) -> None:
    """The next sync ends well, with hardly a page fetched again."""
    world.order()
    before, ended = sorted(set(world.pages())), world.sync()  # retries are no second listing
    assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.err
    after = world.pages()
    assert after[-1] == LAST_PAGE
    assert after[0] == 0 if from_start else fetched_again(before, after) <= AGAIN_AT_MOST
    assert world.holds_the_truth()


def test_json_that_is_nested_too_deeply(synced: World) -> None:
    """Nobody can tell how a page of it would go on: all of it is refused."""
    appointments = synced.sandbox.world.appointments
    [record] = synced.change(every=ROWS)
    key = json.loads(record)["appointment_id"]
    deep = b'{"appointment_id": "%s", "x": %s%s}' % (key.encode(), b"[" * 10**5, b"]" * 10**5)
    appointments.put(key, deep, 0)
    ended = synced.sync()
    appointments.put(key, record, 0)
    assert_told(ended, "nested too deeply")
    assert_goes_on(synced)


def test_an_access_token_that_expires_all_the_time(new_world: NewWorld) -> None:
    with Sandbox(SandboxOptions(appointments=240, token_ttl=1, latency_ms=250)) as brief:
        world = new_world("files", source=brief)
        ended = world.sync()
        assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.err
        assert brief.observed.report()["requests"]["token"] > 1
        assert world.holds_the_truth()


class Elsewhere:
    """Another host: takes connections, and notes whether anybody came."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.heard: list[bytes] = []
        self._context = context
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                self.heard.append(self._said(connection))

    def _said(self, connection: socket.socket) -> bytes:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            return connection.recv(65_536)
        except OSError:
            return b""  # the other side hung up during the handshake

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@contextmanager
def elsewhere(context: ssl.SSLContext | None = None) -> Iterator[Elsewhere]:
    server = Elsewhere(context)
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("stream", ["appointments", "token"][: times(1, 2)])
def test_a_redirect_takes_no_credentials_to_another_host(synced: World, stream: str) -> None:
    synced.change()
    with elsewhere() as other:
        synced.order(f"redirect:stream={stream},code=307,to=http://127.0.0.1:{other.port}/,times=0")
        ended = synced.sync()
    assert other.heard == []
    assert_told(ended, "307", "redirects are never followed", "base_url")
    assert_goes_on(synced)


Issue = Callable[[str], Path]


@pytest.fixture
def issue(tmp_path: Path) -> Issue:
    """Makes a certificate for a host, with its key."""

    def make(host: str) -> Path:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file = tmp_path / "server.pem"
        file.write_bytes(key.private_bytes(pem, *plain) + certificate.public_bytes(pem))
        return file

    return make


@pytest.mark.parametrize(
    ("trusted", "says"),
    [(True, "certificate is not valid"), (False, "self-signed certificate")][: times(1, 2)],
)
def test_a_certificate_that_proves_nothing(
    synced: World, issue: Issue, trusted: bool, says: str
) -> None:
    """Signed by nobody who is trusted, or trusted and another host's: no credentials are sent."""
    file = issue("bookings.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    variables = {"SSL_CERT_FILE": str(file)} if trusted else {}
    synced.change()
    with (
        elsewhere(context) as other,
        settings(synced, {"base_url": f"https://127.0.0.1:{other.port}/api/v1"}),
    ):
        ended = synced.sync(environment=variables)
    assert set(other.heard) == {b""}
    assert_told(ended, says, "SSL_CERT_FILE")
    assert_goes_on(synced)
