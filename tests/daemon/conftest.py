"""A real HTTP receiver, a clock moved by hand, and hooks on a real state."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest

from tests.daemon.clockwork import Clockwork
from tests.states import put_new_state
from zimun_sync.config.serving import HookSettings
from zimun_sync.daemon.hooks import Hooks
from zimun_sync.daemon.hooks.sinks import SinkProgress
from zimun_sync.events import Event, HookCalled, HookFailed
from zimun_sync.store import Store

T0 = datetime(2026, 11, 20, 3, tzinfo=UTC)


@dataclass
class Hands:
    """A clock that stands until it is moved."""

    now: datetime = T0

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Call:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


#: What a receiver does instead of answering.
Play = Callable[["Receiver", BaseHTTPRequestHandler], None]


@dataclass
class Receiver:
    """A server on loopback; answers in line, the last one for ever."""

    answers: list[int | Play] = field(default_factory=lambda: [200])
    calls: list[Call] = field(default_factory=list)
    over: Signal = field(default_factory=Signal)
    url: str = ""

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        self.calls.append(Call(handler.command, handler.path, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer(self, handler)
        else:
            handler.send_response(answer)
            handler.send_header("Location", f"{self.url}/elsewhere")
            handler.send_header("Content-Length", "0")
            handler.end_headers()


def drips(receiver: Receiver, handler: BaseHTTPRequestHandler) -> None:
    """A byte each 10 ms for 10 s: each comes in good time, all of them do not."""
    handler.close_connection = True
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(1_000):
            if receiver.over.wait(0.01):
                return
            handler.wfile.write(b".")
    except OSError:
        return  # the caller hung up, as it should


def hangs_up(receiver: Receiver, handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # else an answer in two parts waits 40 ms

        def take(self) -> None:
            receiver.take(self)

        do_POST = do_PUT = do_GET = take  # noqa: N815 - names that the library asks for

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        yield receiver
        receiver.over.set()
        server.shutdown()
        thread.join()


@dataclass
class Bench:
    """Hooks, what they told, and the means to put them where a test wants them."""

    store: Store
    clock: Hands
    receiver: Receiver
    told: list[Event] = field(default_factory=list)
    chance: float = 0.0

    def hooks(self, **given: dict[str, Any]) -> Hooks:
        """Hooks by name; the address is the receiver's unless a test names another."""
        base = {"url": f"{self.receiver.url}/hook", "timeout": 5.0, "allow_private": True}
        settings = {name: HookSettings.model_validate(base | each) for name, each in given.items()}
        streams = {"main": ["services", "staff"], "other": ["services"]}
        tell, chance = self.told.append, lambda: self.chance
        progress = SinkProgress(self.store, streams)
        return Hooks(settings, progress, self.store, tell, chance=chance)

    def work(self, hooks: Hooks) -> float | None:
        """Make every call that is due; the seconds until the next."""
        while (wait := hooks.step()) == 0:
            pass
        return wait

    @property
    def called(self) -> list[HookCalled]:
        return [each for each in self.told if isinstance(each, HookCalled)]

    @property
    def failed(self) -> list[HookFailed]:
        return [each for each in self.told if isinstance(each, HookFailed)]


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def bench(tmp_path: Path, clock: Hands, receiver: Receiver) -> Iterator[Bench]:
    put_new_state(tmp_path)
    with Store.open("sqlite:///state.db", tmp_path, clock) as store:
        for source in ("main", "other"):
            store.add_source(source)
        yield Bench(store, clock, receiver)


@pytest.fixture
def clockwork(tmp_path: Path) -> Iterator[Clockwork]:
    put_new_state(tmp_path)
    with Store.open("sqlite:///state.db", tmp_path, busy_seconds=0.05) as store:
        yield Clockwork(store)
