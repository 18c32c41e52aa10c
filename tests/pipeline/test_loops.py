"""Waiting for a sink: as long as a pull goes on, and after it."""

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest

from tests.pipeline.conftest import MemorySink
from zimun_sync.errors import SinkUnavailable
from zimun_sync.events import SinkWaiting
from zimun_sync.pipeline.contact import sink_context
from zimun_sync.pipeline.deliver import Delivery
from zimun_sync.pipeline.loops import Loops
from zimun_sync.sinks import SinkContext

AN_HOUR = 3600.0


class Away:
    """A sink that is away until it is called back; tells when somebody waits for it.

    Args:
        bench: what has been pulled.
        retry_after: seconds that the sink asks for.
    """

    def __init__(self, bench: Any, retry_after: float | None = None) -> None:
        self.waited_for, self.is_back = Event(), Event()
        self.sink = MemorySink(on_open=self._open)
        self.stop = Event()
        self.tries = 0
        self._retry_after = retry_after
        store = bench.store
        self.delivery = Delivery(
            name="memory",
            sink=self.sink,
            store=store,
            lease=store.leases.acquire("sink:memory"),
            sources={"main": ["appointments"]},
            context=lambda: sink_context(store, "memory"),
            emit=self._hear,
            jitter=lambda: 1.0,
        )

    def _open(self, _context: SinkContext) -> None:
        self.tries += 1
        if not self.is_back.is_set():
            raise SinkUnavailable("It is away.", retry_after=self._retry_after)

    def _hear(self, event: object) -> None:
        if isinstance(event, SinkWaiting):
            self.waited_for.set()

    def ends(self, pull: Callable[[], None]) -> bool:
        """Whether its delivery beside a pull comes to an end long before the hour is over."""

        def work() -> None:
            with Loops([self.delivery], self.stop, patience=5.0):
                pull()

        thread = Thread(target=work, daemon=True)
        thread.start()
        thread.join(60)
        ended = not thread.is_alive()
        self.stop.set()
        thread.join()
        return ended


@pytest.fixture
def pulled(bench: Any, make_appointment: Callable[..., dict[str, Any]]) -> Any:
    bench.api.put("appointments", *(make_appointment(number) for number in range(3)))
    bench.sinks = {}
    bench.sync()
    return bench


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zimun_sync.pipeline.deliver._BACKOFF_SECONDS", (0.0, AN_HOUR))


def test_a_sink_that_was_away_is_tried_again_when_the_pull_is_over(pulled: Any) -> None:
    away = Away(pulled)

    def pull() -> None:
        while away.tries < 2:  # the second failure is one after which it would wait an hour
            assert away.waited_for.wait(30)
            away.waited_for.clear()
        away.is_back.set()

    assert away.ends(pull)
    assert len(away.sink.keys()) == 3


def test_a_sink_that_names_a_time_is_not_tried_before(pulled: Any) -> None:
    away = Away(pulled, retry_after=AN_HOUR)

    def pull() -> None:
        assert away.waited_for.wait(30)
        away.is_back.set()

    assert away.ends(pull)  # it is left behind, for nobody has that patience
    assert (away.tries, away.sink.keys()) == (1, set())


def test_a_short_time_that_a_sink_names_is_waited_out_after_the_pull(pulled: Any) -> None:
    away = Away(pulled, retry_after=0.5)

    def pull() -> None:
        assert away.waited_for.wait(30)
        away.is_back.set()

    assert away.ends(pull)
    assert len(away.sink.keys()) == 3
