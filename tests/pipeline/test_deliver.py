"""Delivering: each sink at its own pace, and whatever a connector may do wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from zimun_sync.errors import ConfigError, SinkBroken, SinkUnavailable
from zimun_sync.events import BatchDelivered, ConnectorFailed, SinkParked, SinkWaiting
from zimun_sync.pipeline.contact import sink_context
from zimun_sync.pipeline.deliver import Delivery, Progress
from zimun_sync.sinks import Batch, Rejection, SinkContext, WriteResult

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def thirty(bench: Any, make_appointment: Make) -> None:
    bench.api.put("appointments", *(make_appointment(number) for number in range(30)))


@pytest.fixture
def filled(bench: Any, thirty: None) -> Any:
    """A bench whose store holds everything, without having delivered anything."""
    bench.sinks = {}
    bench.sync()
    return bench


@pytest.fixture
def delivery(filled: Any, make_sink: Any) -> Delivery:
    """The delivery of one sink, for tests that take it step by step."""
    sink = make_sink()
    filled.sinks = {"memory": sink}
    store = filled.store
    return Delivery(
        name="memory",
        sink=sink,
        store=store,
        lease=store.leases.acquire("sink:memory"),
        sources={"main": ["locations", "appointments"]},
        context=lambda: sink_context(store, "memory"),
        emit=filled.events.append,
        jitter=lambda: 1.0,
    )


def _steps(delivery: Delivery, count: int = 20) -> list[Progress]:
    taken = []
    for _ in range(count):
        taken.append(delivery.step(more=False))
        if taken[-1] in {Progress.IDLE, Progress.PARKED}:
            break
    return taken


def _poison(key: str) -> Callable[[Batch], None]:
    def raise_on(batch: Batch) -> None:
        if any(change.key == key for change in batch.changes):
            raise RuntimeError(key)

    return raise_on


def test_a_new_sink_is_filled_from_the_store_alone(filled: Any, make_sink: Any) -> None:
    filled.sinks = {"memory": make_sink()}
    filled.api.calls.clear()
    filled.sync()
    assert len(filled.sink.keys()) == 30
    assert filled.api.tokens_of("appointments") == [None, "10", "20"]


def test_a_sink_that_is_not_available_gets_the_same_batch_again(
    delivery: Delivery, filled: Any
) -> None:
    answers = iter([SinkUnavailable("Busy.", retry_after=7.0)])

    def once(_batch: Batch) -> None:
        error = next(answers, None)
        if error:
            raise error

    filled.sink.on_write = once
    assert delivery.step(more=False) is Progress.WAITING
    assert (delivery.wait, delivery.reason) == (7.0, "Busy.")
    assert _steps(delivery)[-1] is Progress.IDLE
    assert len(filled.sink.keys()) == 30
    assert filled.sink.batches[0].stored == filled.sink.batches[1].stored


def test_waits_grow_while_a_sink_stays_away(delivery: Delivery, filled: Any, broken: Any) -> None:
    filled.sink.on_write = broken(SinkUnavailable)
    waits = []
    for _ in range(4):
        delivery.step(more=False)
        waits.append(delivery.wait)
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    assert len(filled.of(SinkWaiting)) == 4


def test_a_sink_left_behind_makes_the_sync_partial_and_catches_up_next_time(
    bench: Any, thirty: None, make_sink: Any, broken: Any
) -> None:
    bench.sinks["slow"] = make_sink(on_write=broken(SinkUnavailable))
    report = bench.sync()
    assert (report.status, report.exit_code) == ("partial", 3)
    assert report.sinks["slow"].state == "behind"
    assert report.sinks["slow"].lag_changes == 32
    assert report.sinks["memory"].state == "current"
    bench.sinks["slow"].on_write = lambda _batch: None
    assert bench.sync().status == "succeeded"
    assert len(bench.sinks["slow"].keys()) == 30


def test_a_broken_sink_is_parked_and_tried_again_by_the_next_sync(
    bench: Any, thirty: None, make_sink: Any, broken: Any
) -> None:
    bench.sinks["crm"] = make_sink(on_write=broken(SinkBroken))
    report = bench.sync()
    assert report.exit_code == 3
    assert (report.sinks["crm"].state, report.sinks["crm"].hint) == ("parked", "Mend it.")
    assert len(bench.sink.keys()) == 30
    assert [event.sink for event in bench.of(SinkParked)] == ["crm"]
    bench.sinks["crm"].on_write = lambda _batch: None
    assert bench.sync().status == "succeeded"


def test_a_new_sink_that_fails_its_check_stops_everything_before_the_first_request(
    bench: Any, thirty: None, make_sink: Any, broken: Any
) -> None:
    sink = make_sink()
    sink.check = broken(SinkBroken)
    bench.sinks["files"] = sink
    with pytest.raises(ConfigError, match=r"sinks\.files: The sink says no\.") as caught:
        bench.sync()
    assert caught.value.hint == "Mend it."
    assert bench.api.calls == []
    assert bench.sink.opened == 0


def test_a_new_sink_that_is_only_away_for_now_stops_nothing(
    bench: Any, thirty: None, make_sink: Any, broken: Any
) -> None:
    sink = make_sink()
    sink.check = broken(SinkUnavailable)
    bench.sinks["files"] = sink
    assert bench.sync().status == "succeeded"


def test_rejections_go_to_quarantine_and_the_rest_is_delivered(bench: Any, thirty: None) -> None:
    def reject_one(batch: Batch) -> WriteResult | None:
        keys = [change.key for change in batch.changes]
        if "a_00004" not in keys:
            return None
        refusal = Rejection("a_00004", "invalid-email", "The address is not valid.")
        return WriteResult(len(keys) - 1, 0, (refusal,))

    bench.sink.on_write = reject_one
    report = bench.sync()
    assert (report.status, report.sinks["memory"].rejected) == ("partial", 1)
    assert report.sinks["memory"].lag_changes == 0
    (entry,) = bench.store.quarantine.entries(sink="memory")
    assert (entry.key, entry.code, entry.message) == (
        "a_00004",
        "invalid-email",
        "The address is not valid.",
    )


@pytest.fixture
def one_rejected(bench: Any, make_appointment: Make) -> Any:
    """A bench whose sink has rejected `a_00001`."""
    bench.api.put("appointments", make_appointment(1), make_appointment(2))
    refusal = Rejection("a_00001", "no", "No.")
    bench.sink.on_write = lambda batch: (
        WriteResult(1, 0, (refusal,)) if batch.stream.name == "appointments" else None
    )
    bench.sync()
    bench.sink.on_write = lambda _batch: None
    bench.sink.batches.clear()
    return bench


def test_a_retry_offers_the_present_state_through_the_same_delivery(one_rejected: Any) -> None:
    (entry,) = one_rejected.store.quarantine.entries()
    one_rejected.store.quarantine.mark(entry.id, "retry")
    report = one_rejected.sync()
    assert [[change.key for change in batch.changes] for batch in one_rejected.sink.batches] == [
        ["a_00001"]
    ]
    assert report.in_quarantine == 0


def test_a_later_good_version_closes_the_entry(one_rejected: Any, make_appointment: Make) -> None:
    newer = make_appointment(1, status="cancelled", updated_at="2026-11-19T00:00:00Z")
    one_rejected.api.put("appointments", newer, make_appointment(2))
    assert one_rejected.sync().in_quarantine == 0


def test_without_a_retry_a_rejected_record_is_left_alone(one_rejected: Any) -> None:
    report = one_rejected.sync()
    assert one_rejected.sink.batches == []
    assert report.in_quarantine == 1


def test_a_sink_that_refuses_a_large_share_is_parked_until_resumed(
    bench: Any, thirty: None
) -> None:
    def reject_most(batch: Batch) -> WriteResult | None:
        if batch.stream.name != "appointments":
            return None
        refusals = tuple(Rejection(change.key, "no", "No.") for change in batch.changes[:15])
        return WriteResult(len(batch) - 15, 0, refusals)

    bench.sink.on_write = reject_most
    assert bench.sync().sinks["memory"].state == "parked"
    bench.sink.on_write = lambda _batch: None
    assert bench.sync().sinks["memory"].state == "parked"
    bench.store.deliveries.unpark("memory")
    assert bench.sync().sinks["memory"].state == "current"


def test_an_unexpected_failure_is_narrowed_down_to_its_row(delivery: Delivery, filled: Any) -> None:
    filled.sink.on_write = _poison("a_00017")
    assert _steps(delivery)[-1] is Progress.IDLE
    assert len(filled.sink.keys()) == 29
    (entry,) = filled.store.quarantine.entries(sink="memory")
    assert (entry.key, entry.code) == ("a_00017", "connector-error")
    assert "a_00017" not in entry.message
    assert filled.of(ConnectorFailed)


def test_a_connector_that_always_fails_is_parked_with_nothing_skipped(
    delivery: Delivery, filled: Any, broken: Any
) -> None:
    filled.sink.on_open = broken(RuntimeError)
    assert _steps(delivery)[-1] is Progress.PARKED
    assert filled.store.deliveries.parked()["memory"].kind == "bug"
    filled.sink.on_open = lambda _context: None
    filled.store.deliveries.unpark("memory")
    filled.store.leases.release(delivery.lease)
    filled.sync()
    assert len(filled.sink.keys()) == 30


@pytest.mark.parametrize(
    "result",
    [
        WriteResult(5),
        WriteResult(29, 0, (Rejection("a_99999", "no", "Not of this batch."),)),
    ],
)
def test_a_sink_cannot_drop_rows_quietly(
    delivery: Delivery, filled: Any, result: WriteResult
) -> None:
    def lose(batch: Batch) -> WriteResult | None:
        return result if len(batch) > 1 else None

    filled.sink.on_write = lose
    _steps(delivery)
    assert len(filled.sink.keys()) == 30
    assert "accounts for" in filled.of(ConnectorFailed)[0].error


def test_a_failed_sink_is_closed_before_it_is_opened_again(delivery: Delivery, filled: Any) -> None:
    filled.sink.on_write = _poison("a_00017")
    _steps(delivery)
    delivery.close()
    assert filled.sink.opened == filled.sink.closed > 1


def test_changed_columns_deliver_everything_anew(
    bench: Any, thirty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.sync()
    bench.sink.rows.clear()
    monkeypatch.setattr("zimun_sync.pipeline.deliver.fingerprint_of", lambda *_given: "other")
    bench.sync()
    assert len(bench.sink.keys()) == 30


def test_more_tells_whether_further_changes_wait(
    delivery: Delivery, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zimun_sync.pipeline.deliver.BATCH_ROWS", 10)
    _steps(delivery)
    batches = [batch for batch in filled.sink.batches if batch.stream.name == "appointments"]
    assert [(len(batch), batch.more) for batch in batches] == [(10, True), (10, True), (10, False)]
    assert [event.applied for event in filled.of(BatchDelivered)] == [1, 10, 10, 10]


def test_the_context_names_the_sink_and_the_state(bench: Any, thirty: None) -> None:
    seen: list[SinkContext] = []
    bench.sink.on_open = seen.append
    bench.sync()
    assert (seen[0].name, seen[0].store_id) == ("memory", bench.store.store_id)
    assert seen[0].heads.keys() == {"main"}


def test_a_sink_that_a_crash_left_open_is_opened_and_closed_though_nothing_is_new(
    bench: Any, thirty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(bench.store.deliveries, "mark_closed", lambda _sink: None)
        bench.sync()
    before = len(bench.sink.batches), bench.sink.opened, bench.sink.closed
    bench.sync()
    assert (len(bench.sink.batches), bench.sink.opened, bench.sink.closed) == (
        before[0],
        before[1] + 1,
        before[2] + 1,
    )
    bench.sync()
    assert bench.sink.opened == before[1] + 1
