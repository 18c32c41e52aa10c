"""A real web server on a free port, over a real state."""

import hmac
import json
import socket
import sqlite3
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Signal
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa

from tests.states import put_new_state
from zimun_sync.config import SourceSettings
from zimun_sync.config.serving import ServerSettings
from zimun_sync.events import Event, WebhookRefused
from zimun_sync.store import Received, Store
from zimun_sync.web import Endpoints, Intake, WebServer, verifiers_of

SECRET = "whsec_" + b64encode(b"the secret of the tests, 32 long").decode()
OTHER_SECRET = "whsec_" + b64encode(b"another one that is in use, also").decode()
FOREIGN_SECRET = "whsec_" + b64encode(b"one that we were never told of..").decode()
#: Nothing here takes nearly as long; a hang fails instead of blocking the suite.
PATIENCE_SECONDS = 30.0
_NO_LIMIT = 2**30


def source(**settings: object) -> SourceSettings:
    given = {"client_id": "id", "client_secret": "secret", "webhook_secrets": [SECRET]} | settings
    return SourceSettings.model_validate(given)


def event(number: int = 1) -> bytes:
    """What the API tells of an appointment."""
    data = {"appointment_id": f"a_{number}", "contact_email": "ada@example.com"}
    return json.dumps({"type": "appointment.updated", "data": data}).encode()


def signed(
    body: bytes, name: str = "msg_1", secret: str = SECRET, sent: float | None = None
) -> dict[str, str]:
    """Headers of a request, as the Standard Webhooks convention has them."""
    stamp = str(int(time.time() if sent is None else sent))
    key = b64decode(secret.removeprefix("whsec_"))
    made = hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{b64encode(made).decode()}",
    }


class Disk:
    """How many pages the database file may have: the first step to a full disk, without root."""

    def __init__(self, store: Store) -> None:
        self._limit = _NO_LIMIT
        sa.event.listen(store._database.engine, "checkout", self._apply)

    def fill(self) -> None:
        self._limit = 1  # SQLite raises it to what the file has

    def free(self) -> None:
        self._limit = _NO_LIMIT

    def _apply(self, connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self._limit}")


class Counting:
    """An inbox that counts its commits, and holds them back while it is asked to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.commits: list[int] = []
        self.entered = Signal()
        self.go_on = Signal()
        self.go_on.set()

    def add(self, events: Sequence[Received]) -> int:
        self.entered.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        self.commits.append(len(events))
        return self._store.inbox.add(events)


@dataclass
class Running:
    """A server, what is behind it, and what it told."""

    store: Store
    disk: Disk
    server: WebServer
    intake: Intake
    inbox: Counting
    endpoints: Endpoints
    client: httpx.Client
    told: list[Event]
    failures: list[BaseException]
    sources: dict[str, SourceSettings]

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.server.address)
        return parts.hostname or "", parts.port or 0

    def post(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        path: str = "/webhooks/main",
    ) -> httpx.Response:
        return self.client.post(path, content=body, headers=headers)

    def stored(self, source: str = "main") -> list[tuple[str, bytes]]:
        """Id and body of each event in the inbox, in order of arrival."""
        return [(each.event_id, each.body) for each in self.store.inbox.next(source, 10_000)]

    def refusals(self) -> list[WebhookRefused]:
        return [each for each in self.told if isinstance(each, WebhookRefused)]

    def raw(self, *parts: bytes, close: bool = False) -> bytes:
        """Send bytes as they are and read to the end of the answer, or of the connection."""
        with closing(socket.create_connection(self.address, PATIENCE_SECONDS)) as connection:
            for part in parts:
                connection.sendall(part)
            if close:
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@dataclass
class Stage:
    """Starts servers, and ends them after the test."""

    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    def serve(
        self, *, ready: bool = True, probe: Callable[[Store], object] | None = None, **given: Any
    ) -> Running:
        room = given.pop("room", 10_000)
        sources = given.pop("sources", {"main": source(), "silent": source(webhook_secrets=[])})
        if not (self.folder / "state.db").exists():
            put_new_state(self.folder)
        store = self.stack.enter_context(Store.open("sqlite:///state.db", self.folder))
        told: list[Event] = []
        failures: list[BaseException] = []
        inbox = Counting(store)
        probing = probe or Store.probe
        intake = Intake(inbox, lambda: probing(store), told.append, failures.append, room=room)
        endpoints = Endpoints(lambda: verifiers_of(sources), told.append)
        server = WebServer(ServerSettings(port=0, **given), endpoints, failures.append)
        server.start()
        client = self.stack.enter_context(
            httpx.Client(base_url=server.address, timeout=PATIENCE_SECONDS)
        )
        running = Running(
            store, Disk(store), server, intake, inbox, endpoints, client, told, failures, sources
        )
        intake.start()
        self.stack.callback(self._end, running)
        if ready:
            endpoints.intake = intake
        return running

    def _end(self, running: Running) -> None:
        running.client.close()
        running.inbox.go_on.set()
        assert running.server.stop(monotonic() + PATIENCE_SECONDS)
        assert running.intake.stop(monotonic() + PATIENCE_SECONDS)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    with made.stack:
        yield made


@pytest.fixture
def running(stage: Stage) -> Iterator[Running]:
    """A server with the defaults, which nothing made fail."""
    made = stage.serve()
    yield made
    assert made.failures == []


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while not reached():
        assert monotonic() < deadline, "it never happens"
        time.sleep(0.005)
