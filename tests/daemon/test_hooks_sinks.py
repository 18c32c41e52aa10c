"""A hook that names sinks is called when they have taken the run's last change."""

from dataclasses import dataclass

import pytest

from tests.daemon.conftest import Bench
from zimun_sync.events import PullFinished, PullStarted, TroubleBegan
from zimun_sync.model import STREAMS
from zimun_sync.normalize import Normalizer, Places, Rules
from zimun_sync.pipeline.offering import fingerprint_of
from zimun_sync.store import Delivered, PageRecords, ParkKind, Place

HOOK = {"on": ["succeeded", "failed"], "sinks": ["analytics", "crm"]}
DAY = 86_400.0


def ended(source: str = "main", status: str = "succeeded", changed: int = 1) -> PullFinished:
    return PullFinished(source, "nightly", status, 1, changed, 1.0, "")


@dataclass
class Flow:
    """Records into the state, and from there to sinks."""

    bench: Bench

    def store(self, *keys: str, stream: str = "services", source: str = "main") -> None:
        store = self.bench.store
        key = STREAMS[stream].key
        normalizer = Normalizer(STREAMS[stream], Rules({}, {}), Places())
        records = [
            normalizer.normalize(f'{{"{key}": "{each}", "name": "Cut"}}'.encode()) for each in keys
        ]
        lease = store.leases.acquire(f"source:{source}")
        run = store.runs.begin(lease, source, stream, "p", fresh=True)
        run = store.pages.commit(lease, run, PageRecords(records, [], None, 0)).run
        store.runs.succeed(lease, run, listed_everything=False)
        store.leases.release(lease)

    def deliver(
        self, sink: str, stream: str = "services", source: str = "main", fingerprint: str = ""
    ) -> None:
        """Let a sink take everything that there is of a stream."""
        store = self.bench.store
        place = Place(sink, source, stream)
        mark = fingerprint or fingerprint_of(STREAMS[stream])
        before = store.deliveries.offset(place, mark)
        changes = store.feed.changes(source, stream, before, 1_000)
        lease = store.leases.acquire(f"sink:{sink}")
        taken = Delivered(changes[-1].seq, [each.key for each in changes], [], "r")
        store.deliveries.record(lease, place, mark, taken, began_at=before)
        store.leases.release(lease)


@pytest.fixture
def flow(bench: Bench) -> Flow:
    return Flow(bench)


def records_told(bench: Bench) -> list[tuple[str, int]]:
    return [(each.json["source"], each.json["changed"]) for each in bench.receiver.calls]


def test_it_waits_for_every_sink_it_names(bench: Bench, flow: Flow) -> None:
    hooks = bench.hooks(bi=HOOK)
    flow.store("a", "b")
    flow.store("c", stream="staff")
    hooks.listen(ended())
    for taken in (("analytics", "services"), ("analytics", "staff"), ("crm", "services")):
        assert bench.work(hooks) == 2
        flow.deliver(*taken)
    assert bench.work(hooks) == 2
    assert bench.receiver.calls == []
    flow.deliver("crm", "staff")
    assert bench.work(hooks) is None
    assert len(bench.receiver.calls) == 1


def test_without_changes_it_is_called_at_once(bench: Bench, flow: Flow) -> None:
    hooks = bench.hooks(bi=HOOK)
    hooks.listen(ended())
    assert bench.work(hooks) is None
    flow.store("a")
    for sink in ("analytics", "crm"):
        flow.deliver(sink)
    hooks.listen(ended())
    assert bench.work(hooks) is None
    assert len(bench.receiver.calls) == 2


def test_changes_that_come_after_the_run_are_not_waited_for(bench: Bench, flow: Flow) -> None:
    hooks = bench.hooks(bi=HOOK)
    flow.store("a")
    for sink in ("analytics", "crm"):
        flow.deliver(sink)
    hooks.listen(ended())
    flow.store("b")
    assert bench.work(hooks) is None
    assert len(bench.receiver.calls) == 1


def test_a_sink_that_takes_everything_anew_is_waited_for(bench: Bench, flow: Flow) -> None:
    """Another fingerprint counts as an offset of 0."""
    hooks = bench.hooks(bi=HOOK)
    flow.store("a")
    flow.deliver("analytics")
    flow.deliver("crm", fingerprint="of former columns")
    hooks.listen(ended())
    assert bench.work(hooks) == 2


def test_other_sources_and_streams_that_nobody_delivers_do_not_count(
    bench: Bench, flow: Flow
) -> None:
    hooks = bench.hooks(bi=HOOK)
    flow.store("a")
    flow.store("b", source="other")
    flow.store("c", stream="locations")
    for sink in ("analytics", "crm"):
        flow.deliver(sink)
    hooks.listen(ended())
    assert bench.work(hooks) is None
    assert records_told(bench) == [("main", 1)]


def test_only_what_ended_a_run_waits(bench: Bench, flow: Flow) -> None:
    hooks = bench.hooks(bi=HOOK | {"on": ["started", "trouble", "succeeded"]})
    flow.store("a")
    hooks.listen(ended())
    hooks.listen(PullStarted("main", "nightly"))
    hooks.listen(TroubleBegan("source main", "r", "h"))
    assert bench.work(hooks) == 2
    assert [each.json["event"] for each in bench.receiver.calls] == ["started", "trouble"]


def test_a_newer_run_s_call_replaces_one_that_waits(bench: Bench, flow: Flow) -> None:
    hooks = bench.hooks(bi=HOOK)
    flow.store("a")
    flow.store("a", source="other")
    hooks.listen(ended(changed=1))
    hooks.listen(ended("other", changed=2))
    hooks.listen(ended(status="failed", changed=3))
    assert bench.work(hooks) == 2
    flow.store("b")
    hooks.listen(ended(changed=4))
    assert bench.work(hooks) == 2
    for sink in ("analytics", "crm"):
        flow.deliver(sink)
        flow.deliver(sink, source="other")
    bench.work(hooks)
    assert records_told(bench) == [("other", 2), ("main", 3), ("main", 4)]


def test_one_that_is_tried_already_is_not_replaced(bench: Bench, flow: Flow) -> None:
    bench.receiver.answers = [500, 200]
    hooks = bench.hooks(bi=HOOK)
    hooks.listen(ended(changed=1))
    assert bench.work(hooks) == 10
    flow.store("a")
    hooks.listen(ended(changed=2))
    bench.clock.forward(10)
    assert bench.work(hooks) == 2
    for sink in ("analytics", "crm"):
        flow.deliver(sink)
    bench.work(hooks)
    assert records_told(bench) == [("main", 1), ("main", 1), ("main", 2)]


@pytest.mark.parametrize("parked", [True, False])
def test_after_a_day_it_is_given_up_and_says_why(bench: Bench, flow: Flow, parked: bool) -> None:
    hooks = bench.hooks(bi=HOOK)
    flow.store("a")
    flow.deliver("analytics")
    hooks.listen(ended())
    if parked:
        bench.store.deliveries.park("crm", ParkKind.BROKEN, "The key was refused.", "h")
    bench.clock.forward(DAY - 1)
    assert bench.work(hooks) == 2
    bench.clock.forward(1)
    assert bench.work(hooks) is None
    (failed,) = bench.failed
    assert "Sink crm has not taken the run's last change within 24 hours." in failed.error
    assert failed.error.endswith("It is parked: The key was refused.") == parked
    assert (failed.wait, failed.attempts) == (None, 0)
    assert bench.receiver.calls == []


def test_replacing_a_call_does_not_start_its_day_anew(bench: Bench, flow: Flow) -> None:
    hooks = bench.hooks(bi=HOOK)
    flow.store("a")
    hooks.listen(ended())
    bench.clock.forward(DAY / 2)
    hooks.listen(ended())
    assert bench.work(hooks) == 2
    bench.clock.forward(DAY / 2)
    assert bench.work(hooks) is None
    assert [each.wait for each in bench.failed] == [None]


def test_sinks_are_not_asked_again_once_a_call_was_tried(bench: Bench, flow: Flow) -> None:
    bench.receiver.answers = [500, 200]
    hooks = bench.hooks(bi=HOOK)
    flow.store("a")
    for sink in ("analytics", "crm"):
        flow.deliver(sink)
    hooks.listen(ended())
    assert bench.work(hooks) == 10
    bench.store.deliveries.rewind("crm")
    bench.clock.forward(10)
    assert bench.work(hooks) is None
    assert len(bench.called) == 1


@pytest.mark.parametrize("left", [["analytics"], []])
def test_a_sink_that_the_hook_no_longer_names_is_not_waited_for(
    bench: Bench, flow: Flow, left: list[str]
) -> None:
    flow.store("a")
    flow.deliver("analytics")
    bench.hooks(bi=HOOK).listen(ended())
    assert bench.work(bench.hooks(bi=HOOK)) == 2
    assert bench.work(bench.hooks(bi=HOOK | {"sinks": left})) is None
    assert len(bench.receiver.calls) == 1
