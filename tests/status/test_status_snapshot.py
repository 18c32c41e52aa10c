"""What a snapshot tells, read from a state that someone else fills."""

from datetime import timedelta

import pytest

from tests.status.conftest import HOUR, T0, Bench, Configure
from zimun_sync.model import to_micros
from zimun_sync.status import DAEMON_LEASE, RememberedCounts, status_of, take
from zimun_sync.store import ParkKind, Place, Received, RunStatus
from zimun_sync.store.schema import hook_calls


def test_a_state_that_was_never_used(bench: Bench) -> None:
    snapshot = take(bench.store, bench.config)
    source = snapshot.sources["main"]
    assert (source.organization, source.paused_since, source.backlog) == (None, None, None)
    assert list(source.streams) == ["services", "staff"]
    stream = source.streams["services"]
    assert (stream.records, stream.last_run, stream.good_at, stream.running) == (
        0,
        None,
        None,
        None,
    )
    assert snapshot.sinks["files"].state == "current"
    assert snapshot.daemon is None
    assert snapshot.room.size_bytes > 0
    assert snapshot.room.free_bytes


def test_each_stream_tells_its_last_run_and_its_last_good_one(bench: Bench) -> None:
    bench.succeed("services", "a", "b")
    bench.clock.forward(HOUR)
    failed = bench.fail("services")
    bench.clock.forward(60)
    shown = take(bench.store, bench.config).to_json()["sources"]["main"]["streams"]["services"]
    assert shown["records"] == 2
    assert shown["last_run"]["run_id"] == failed.run_id
    assert shown["reason"] == "The API is down."
    assert shown["freshness_seconds"] == HOUR + 60
    assert shown["last_success"] == T0.isoformat()
    assert shown["in_flight"] is None


def test_a_run_under_way_tells_its_pages(bench: Bench) -> None:
    run = bench.page(bench.begin(), "a")
    bench.page(run, "b")
    stream = take(bench.store, bench.config).to_json()["sources"]["main"]["streams"]["services"]
    assert stream["in_flight"] == {"pages": 2, "page_token": True}
    assert stream["last_run"]["duration_seconds"] is None


def test_a_list_that_the_api_does_not_have_counts_as_good(bench: Bench) -> None:
    bench.fail("staff", status=RunStatus.NOT_OFFERED)
    stream = take(bench.store, bench.config).sources["main"].streams["staff"]
    assert stream.good_at == to_micros(T0)
    assert stream.last_success is None


def test_how_far_a_sink_is_behind(bench: Bench) -> None:
    bench.succeed("services", "a", "b", "c")
    bench.clock.forward(90)
    shown = take(bench.store, bench.config).to_json()["sinks"]["files"]
    assert shown["state"] == "behind"
    assert shown["lag"] == {"changes": 3, "seconds": 90.0}


def test_a_parked_sink_tells_why(bench: Bench) -> None:
    bench.store.deliveries.park("files", ParkKind.BROKEN, "No such folder.", "Make it.")
    shown = take(bench.store, bench.config).to_json()["sinks"]["files"]
    assert (shown["state"], shown["reason"], shown["hint"], shown["since"]) == (
        "parked",
        "No such folder.",
        "Make it.",
        T0.isoformat(),
    )


def test_the_inbox_tells_how_long_its_oldest_event_waits(bench: Bench) -> None:
    bench.store.inbox.add([Received("main", "1", 0, b"{}")])
    bench.clock.forward(30)
    bench.store.inbox.add([Received("main", "2", 0, b"{}"), Received("other", "3", 0, b"{}")])
    shown = take(bench.store, bench.config).to_json()["sources"]["main"]["inbox"]
    assert shown == {"waiting": 2, "oldest_seconds": 30.0}


def test_quarantine_is_counted_by_source_and_sink(bench: Bench) -> None:
    bench.page(bench.begin(), "a", refused=("x", "y"))
    snapshot = take(bench.store, bench.config)
    assert snapshot.in_quarantine == 2
    assert snapshot.to_json()["quarantine"] == [{"source": "main", "sink": "", "entries": 2}]


def test_what_is_not_configured_any_more_is_left_out(bench: Bench, configure: Configure) -> None:
    bench.succeed("services", "a", source="closed")
    bench.page(bench.begin("services", "closed"), refused=("x",))
    bench.store.deliveries.park("gone", ParkKind.BROKEN, "No.", "")
    now = bench.store.now()
    call = {"hook": "gone", "event": "failed", "payload": "{}", "needs": "{}", "attempts": 5}
    bench.put(hook_calls, call | {"status": "failed", "created_at": now, "due_at": now})
    snapshot = take(bench.store, configure(sinks={}))
    assert list(snapshot.sources) == ["main"]
    assert (snapshot.sinks, snapshot.quarantine, snapshot.hooks_given_up) == ({}, (), ())


def test_a_paused_source_has_no_next_run(bench: Bench) -> None:
    before = take(bench.store, bench.config).to_json()["sources"]["main"]
    assert (before["paused"], before["next_run"]) == (False, "2026-11-21T01:30:00+00:00")
    bench.store.pauses.add("main")
    paused = take(bench.store, bench.config).to_json()["sources"]["main"]
    assert (paused["paused"], paused["next_run"]) == (True, None)
    assert paused["paused_since"] == T0.isoformat()


def test_the_daemon_is_whoever_holds_its_lease(bench: Bench) -> None:
    lease = bench.store.leases.acquire(DAEMON_LEASE)
    holder = take(bench.store, bench.config).daemon
    assert holder
    assert take(bench.store, bench.config).to_json()["daemon"]["pid"] == holder.pid
    bench.clock.forward(HOUR)
    assert take(bench.store, bench.config).daemon is None, "its lease ran out"
    bench.store.leases.renew(lease)
    assert take(bench.store, bench.config).daemon == holder
    bench.store.leases.release(lease)
    assert take(bench.store, bench.config).daemon is None


def test_runs_that_need_a_person_stay_until_a_later_one_is_good(bench: Bench) -> None:
    bench.fail(status=RunStatus.NEEDS_ATTENTION)
    bench.clock.forward(HOUR)
    held = bench.fail(status=RunStatus.NEEDS_ATTENTION)
    bench.clock.forward(HOUR)
    bench.fail()
    source = take(bench.store, bench.config).sources["main"]
    assert [run.run_id for run in source.needs_attention] == [held.run_id]
    bench.clock.forward(HOUR)
    bench.succeed()
    assert take(bench.store, bench.config).sources["main"].needs_attention == ()


@pytest.mark.parametrize(
    ("age_hours", "latest", "told"),
    [(1, "failed", True), (25, "failed", False), (1, "done", False), (1, "due", True)],
)
def test_a_hook_is_told_whose_latest_call_was_given_up(
    bench: Bench, age_hours: int, latest: str, told: bool
) -> None:
    at = bench.store.now() - age_hours * 3_600_000_000
    call = {"hook": "bi", "event": "failed", "payload": "{}", "needs": "{}", "attempts": 5}
    call |= {"created_at": at, "due_at": at, "error": "no"}
    bench.put(hook_calls, call | {"status": "failed"}, call | {"status": latest})
    found = [each.hook for each in take(bench.store, bench.config).hooks_given_up]
    assert found == ["bi"] * told


def test_skews_are_those_that_were_measured(bench: Bench) -> None:
    snapshot = take(bench.store, bench.config, skews={"main": -45.0, "other": 1.0})
    assert snapshot.sources["main"].skew_seconds == -45.0


def test_what_programs_read_keeps_its_keys(bench: Bench) -> None:
    shown = status_of(bench.store, bench.config).to_json()
    assert shown.keys() >= {"well", "troubles", "sources", "sinks", "in_quarantine", "daemon"}
    assert shown["sources"]["main"].keys() >= {"organization", "streams"}
    keys = {"type", "state", "lag", "reason", "hint", "since", "notices"}
    assert shown["sinks"]["files"].keys() == keys


def test_records_are_counted_again_only_after_a_change_and_a_while(bench: Bench) -> None:
    seconds = [0.0]
    counts = RememberedCounts(bench.store, 60, lambda: seconds[0])
    bench.succeed("services", "a")
    assert counts("main", "services") == 1
    bench.succeed("services", "a", "b")
    seconds[0] = 59.9
    assert counts("main", "services") == 1, "not a minute old yet"
    seconds[0] = 60.0
    assert counts("main", "services") == 2
    bench.store.feed.count = lambda *_: pytest.fail("nothing changed")  # type: ignore[method-assign]
    seconds[0] = 10_000.0
    assert counts("main", "services") == 2


def test_the_lag_in_feed_order_counts_what_the_feed_counts(bench: Bench) -> None:
    bench.succeed("services", *(f"k{number}" for number in range(20)))
    place = Place("files", "main", "services")
    assert bench.store.deliveries.offset(place, "other") == 0
    for after in (0, 5, 19, 20, 99):
        assert bench.store.overview.lag("main", "services", after) == bench.store.feed.lag(
            "main", "services", after
        )
    bench.clock.now += timedelta(days=1)
