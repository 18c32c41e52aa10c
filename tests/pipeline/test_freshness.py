"""Showing how fresh the data is: once after each pull, and no write."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import Bench, FakeApi, MemorySink
from tests.states import put_new_state
from zimun_sync.errors import AuthenticationFailed, SinkBroken, SinkUnavailable, SourceUnavailable
from zimun_sync.events import SinkParked
from zimun_sync.pipeline.contact import sink_context
from zimun_sync.pipeline.deliver import Delivery, Progress
from zimun_sync.sinks import Batch, Freshness
from zimun_sync.store import Store

Make = Callable[..., dict[str, Any]]
START = datetime(2026, 11, 20, 3, tzinfo=UTC)


@dataclass
class ShowingSink(MemorySink):
    """Keeps every table of freshness it was given; `on_show` may raise."""

    shown: list[Sequence[Freshness]] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    on_show: Callable[[], None] = lambda: None

    def show_freshness(self, rows: Sequence[Freshness], /) -> None:
        self.on_show()
        self.shown.append(rows)
        self.held.append(len(self.keys()))

    @property
    def latest(self) -> dict[str, Freshness]:
        """What was shown last of source `main`, by stream."""
        return {row.stream: row for row in self.shown[-1] if row.source == "main"}


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def store(tmp_path: Path, clock: Hands) -> Any:
    put_new_state(tmp_path)
    with Store.open("sqlite:///state.db", tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def sink() -> ShowingSink:
    return ShowingSink()


@pytest.fixture
def desk(bench: Bench, sink: ShowingSink, make_appointment: Make) -> Bench:
    """A bench with thirty appointments and one sink that shows freshness."""
    bench.sinks = {"memory": sink}
    bench.api.put("appointments", *(make_appointment(number) for number in range(30)))
    return bench


@pytest.fixture
def delivery(desk: Bench, sink: ShowingSink) -> Delivery:
    """The delivery of that sink, step by step, after a pull."""
    desk.sinks = {}
    desk.sync()
    return _delivery(desk, sink)


def _delivery(desk: Bench, sink: MemorySink) -> Delivery:
    store = desk.store
    return Delivery(
        name="memory",
        sink=sink,
        store=store,
        lease=store.leases.acquire("sink:memory"),
        sources={"main": ["locations", "appointments"]},
        context=lambda: sink_context(store, "memory"),
        emit=desk.events.append,
        jitter=lambda: 1.0,
    )


def test_a_sync_shows_it_once_when_the_sink_has_taken_everything(
    desk: Bench, sink: ShowingSink
) -> None:
    desk.sync()
    assert (len(sink.shown), sink.held) == (1, [30])
    row = sink.latest["appointments"]
    assert (row.last_pull_status, row.records, row.shown_at) == ("succeeded", 30, START)
    assert row.last_change_at == START
    run = desk.store.runs.latest("main", "appointments")
    assert run is not None
    assert row.last_pull_at is not None
    assert int(row.last_pull_at.timestamp() * 1e6) == run.listing_requested_at


def test_every_stream_that_was_asked_for_has_a_row(desk: Bench, sink: ShowingSink) -> None:
    desk.api.items["resources"] = None
    desk.sync()
    told = {row.stream: (row.last_pull_status, row.records) for row in sink.shown[0]}
    assert told["locations"] == ("succeeded", 1)
    assert told["staff"] == ("succeeded", 0)
    assert told["resources"] == ("not_offered", 0)
    assert sink.latest["resources"].last_pull_at is None
    assert sink.latest["staff"].last_change_at is None


def test_an_unchanged_source_writes_nothing_and_freshness_moves_on(
    desk: Bench, sink: ShowingSink, clock: Hands
) -> None:
    desk.sync()
    before = sink.latest["appointments"]
    sink.batches.clear()
    clock.now += timedelta(days=1)
    desk.sync()
    after = sink.latest["appointments"]
    assert sink.batches == []
    assert sink.opened == 2
    assert before.last_pull_at is not None
    assert after.last_pull_at is not None
    assert after.last_pull_at > before.last_pull_at
    assert after.shown_at == before.shown_at + timedelta(days=1)
    assert (after.last_change_at, after.records) == (before.last_change_at, before.records)


def test_a_failed_pull_shows_and_keeps_the_last_good_one(
    desk: Bench, sink: ShowingSink, clock: Hands
) -> None:
    desk.sync()
    good = sink.latest["appointments"]
    clock.now += timedelta(days=1)
    desk.api.fail("appointments", "10", SourceUnavailable("It is down."))
    desk.sync()
    row = sink.latest["appointments"]
    assert (row.last_pull_status, row.last_pull_at) == ("failed", good.last_pull_at)
    assert sink.latest["services"].last_pull_status == "succeeded"


def test_a_pull_that_ends_early_failed_for_the_streams_it_did_not_reach(
    desk: Bench, sink: ShowingSink, clock: Hands
) -> None:
    desk.sync()
    good = sink.latest["appointments"]
    clock.now += timedelta(days=1)
    desk.api.fail("locations", None, AuthenticationFailed("No."))
    desk.sync()
    told = {name: row.last_pull_status for name, row in sink.latest.items()}
    assert told.pop("organization") == "succeeded"
    assert set(told.values()) == {"failed"}
    assert sink.latest["appointments"].last_pull_at == good.last_pull_at
    clock.now += timedelta(days=1)
    desk.sync()
    assert {row.last_pull_status for row in sink.shown[-1]} == {"succeeded"}


def test_each_source_has_its_rows(desk: Bench, sink: ShowingSink, make_appointment: Make) -> None:
    second = FakeApi()
    second.put("appointments", make_appointment(1))
    desk.sync(second=second)
    counts = {row.source: row.records for row in sink.shown[0] if row.stream == "appointments"}
    assert counts == {"main": 30, "second": 1}
    assert len(sink.shown) == 1


def test_what_a_sink_missed_it_shows_after_the_next_start(desk: Bench, sink: ShowingSink) -> None:
    desk.sinks = {}
    desk.sync()
    delivery = _delivery(desk, sink)
    while delivery.step(more=False) is not Progress.IDLE:
        pass
    assert sink.latest["appointments"].records == 30


def test_it_is_shown_again_only_when_another_pull_has_ended(
    delivery: Delivery, sink: ShowingSink
) -> None:
    for _ in range(5):
        delivery.step(more=False)
    assert len(sink.shown) == 1
    delivery.pull_ended()
    for _ in range(5):
        delivery.step(more=False)
    assert (len(sink.shown), sink.opened) == (2, 1)


def test_it_waits_until_the_pull_is_over(delivery: Delivery, sink: ShowingSink) -> None:
    while delivery.step(more=True) is not Progress.IDLE:
        pass
    assert (len(sink.keys()), sink.shown) == (30, [])
    delivery.step(more=False)
    assert sink.held == [30]


def test_it_waits_until_a_backlog_is_taken(
    delivery: Delivery, sink: ShowingSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zimun_sync.pipeline.deliver.BATCH_ROWS", 7)
    while delivery.step(more=False) is not Progress.IDLE:
        pass
    assert sink.held == [30]


def test_changes_that_keep_coming_do_not_put_it_off(delivery: Delivery, sink: ShowingSink) -> None:
    assert delivery.step(more=False) is Progress.DELIVERED
    assert sink.held == [30]


def test_a_sink_without_a_pull_is_not_even_opened(desk: Bench, sink: ShowingSink) -> None:
    desk.store.add_source("main")
    assert _delivery(desk, sink).step(more=False) is Progress.IDLE
    assert (sink.opened, sink.shown) == (0, [])


def test_a_sink_that_has_something_to_show_is_opened_while_a_pull_goes_on(
    desk: Bench, sink: ShowingSink
) -> None:
    desk.sync()
    delivery = _delivery(desk, sink)
    assert delivery.step(more=True) is Progress.IDLE
    assert (sink.opened, sink.shown[1:]) == (2, [])
    assert delivery.step(more=True) is Progress.IDLE
    assert delivery.step(more=False) is Progress.IDLE
    assert (sink.opened, len(sink.shown)) == (2, 2)


def test_before_the_first_good_pull_a_sink_is_not_opened_early(
    desk: Bench, sink: ShowingSink
) -> None:
    desk.api.fail("organization", None, AuthenticationFailed("No."))
    desk.sync()
    assert _delivery(desk, sink).step(more=True) is Progress.IDLE
    assert sink.opened == 0


def test_a_sink_that_cannot_be_opened_early_is_waited_for(
    desk: Bench, sink: ShowingSink, broken: Any
) -> None:
    desk.sync()
    sink.on_open = broken(SinkUnavailable)
    delivery = _delivery(desk, sink)
    assert delivery.step(more=True) is Progress.WAITING
    sink.on_open = lambda _context: None
    assert delivery.step(more=False) is Progress.IDLE
    assert len(sink.shown) == 2


def test_a_sink_that_cannot_show_is_left_alone(desk: Bench, make_sink: Any) -> None:
    desk.sinks = {"memory": make_sink()}
    assert desk.sync().status == "succeeded"
    desk.sync()
    assert desk.sink.opened == 1


def test_a_sink_that_is_not_available_shows_it_later(
    delivery: Delivery, sink: ShowingSink, broken: Any
) -> None:
    sink.on_show = broken(SinkUnavailable)
    assert delivery.step(more=False) is Progress.WAITING
    sink.on_show = lambda: None
    assert delivery.step(more=False) is Progress.IDLE
    assert sink.held == [30]
    assert len(sink.batches) == 2


def test_a_sink_that_needs_a_person_is_parked(
    delivery: Delivery, sink: ShowingSink, desk: Bench, broken: Any
) -> None:
    sink.on_show = broken(SinkBroken)
    assert delivery.step(more=False) is Progress.PARKED
    assert [event.hint for event in desk.of(SinkParked)] == ["Mend it."]
    desk.store.deliveries.unpark("memory")
    sink.on_show = lambda: None
    delivery.step(more=False)
    assert len(sink.shown) == 1


def test_a_connector_that_always_fails_to_show_is_parked_with_every_record_taken(
    delivery: Delivery, sink: ShowingSink, desk: Bench, broken: Any
) -> None:
    sink.on_show = broken(RuntimeError)
    for _ in range(10):
        if delivery.step(more=False) is Progress.PARKED:
            break
    assert desk.store.deliveries.parked()["memory"].kind == "bug"
    assert len(sink.keys()) == 30
    assert len([batch for batch in sink.batches if batch.stream.name == "appointments"]) == 1


def test_a_write_that_fails_shows_nothing(delivery: Delivery, sink: ShowingSink) -> None:
    def away(_batch: Batch) -> None:
        raise SinkUnavailable("Busy.")

    sink.on_write = away
    assert delivery.step(more=False) is Progress.WAITING
    assert sink.shown == []
