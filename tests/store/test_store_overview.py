"""How the state stands, read the same way on every database."""

import pytest
import sqlalchemy as sa

from tests.store.conftest import SOURCE, STREAM, State, Ticking, record, refusal, start
from zimun_sync.store import Backlog, Lag, Lease, QuarantineCount, Received, RunStatus, Store
from zimun_sync.store.schema import hook_calls, inbox


def test_the_lag_is_the_feed_s(store: Store, lease: Lease, clock: Ticking) -> None:
    listing = start(store, lease)
    for key in "abc":
        listing.page(record(key))
        clock.forward(60)
    head = store.feed.heads()[SOURCE]
    for after in range(head + 2):
        found = store.overview.lag(SOURCE, STREAM, after)
        assert found == store.feed.lag(SOURCE, STREAM, after)
        assert found.changes == max(head - after, 0)
    assert store.overview.lag("never added", STREAM, 0) == Lag(0, None)


def test_the_holder_of_a_lease(store: Store, clock: Ticking) -> None:
    assert store.leases.holder("daemon") is None
    held = store.leases.acquire("daemon")
    holder = store.leases.holder("daemon")
    assert holder
    assert "process" in str(holder)
    clock.forward(91)
    assert store.leases.holder("daemon") is None
    store.leases.renew(held)
    assert store.leases.holder("daemon") == holder
    store.leases.release(held)
    assert store.leases.holder("daemon") is None


def test_a_holder_that_was_killed_holds_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.leases.acquire("daemon")
    monkeypatch.setattr("zimun_sync.store.leases.started", lambda _pid: 0)
    assert store.leases.holder("daemon") is None


def test_each_stream_s_newest_run_that_waits_for_a_person(
    store: Store, lease: Lease, clock: Ticking
) -> None:
    assert store.overview.needing_attention(SOURCE) == []
    start(store, lease).fail(RunStatus.NEEDS_ATTENTION)
    clock.forward(1)
    held = start(store, lease).fail(RunStatus.NEEDS_ATTENTION)
    clock.forward(1)
    start(store, lease).fail()
    assert store.overview.needing_attention(SOURCE) == [held]
    clock.forward(1)
    start(store, lease).succeed()
    assert store.overview.needing_attention(SOURCE) == []


def test_the_first_run_that_is_known(store: Store, lease: Lease, clock: Ticking) -> None:
    assert store.overview.first_run_at(SOURCE, STREAM) is None
    first = start(store, lease).fail()
    clock.forward(60)
    start(store, lease).fail()
    assert store.overview.first_run_at(SOURCE, STREAM) == first.started_at


def test_events_that_wait_by_source(store: Store, clock: Ticking) -> None:
    store.inbox.add([Received(SOURCE, "1", 0, b"{}")])
    first = store.now()
    clock.forward(60)
    store.inbox.add([Received(SOURCE, name, 0, b"{}") for name in ("2", "3", "4")])
    with store._database.write(durable=False) as connection:
        for name, status in (("3", "thin"), ("4", "done")):
            connection.execute(
                sa.update(inbox).where(inbox.c.event_id == name).values(status=status)
            )
    found = store.overview.backlogs([SOURCE, "other"])
    assert found.keys() == {SOURCE}
    assert found[SOURCE] == Backlog(3, found[SOURCE].oldest)
    assert abs(found[SOURCE].oldest - first) < 1_000_000


def test_quarantine_by_source_and_sink(store: Store, lease: Lease) -> None:
    start(store, lease).page(refused=[refusal(key) for key in "abc"])
    dropped, *_ = store.quarantine.entries()
    store.quarantine.mark(dropped.id, "dropped")
    assert store.overview.quarantined() == [QuarantineCount(SOURCE, "", 2)]


def test_hooks_whose_latest_call_was_given_up(store: Store, clock: Ticking) -> None:
    def call(hook: str, status: str) -> None:
        now = store.now()
        row = {"hook": hook, "event": "failed", "payload": "{}", "needs": "{}", "attempts": 1}
        row |= {"status": status, "created_at": now, "due_at": now, "error": "500"}
        with store._database.write(durable=False) as connection:
            connection.execute(sa.insert(hook_calls).values(row))

    for hook, statuses in {"bad": "failed", "well": "failed done", "again": "failed due"}.items():
        for status in statuses.split():
            call(hook, status)
    assert [each.hook for each in store.overview.given_up(60)] == ["again", "bad"]
    clock.forward(61)
    assert store.overview.given_up(60) == []


def test_what_the_state_takes(store: Store, state: State) -> None:
    room = store.overview.room()
    assert room.size_bytes > 50_000
    assert (room.free_bytes is not None) == state.is_sqlite


def test_runs_of_one_source_or_status(store: Store, lease: Lease, clock: Ticking) -> None:
    good = start(store, lease).succeed()
    clock.forward(1)
    bad = start(store, lease).fail()
    assert store.runs.recent() == [bad, good]
    assert store.runs.recent(status="failed") == [bad]
    assert store.runs.recent(source=SOURCE, status="succeeded") == [good]
    assert store.runs.recent(source="other") == []
