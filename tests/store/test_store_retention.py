"""What is over leaves the state in time; what is still needed never does."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from tests.store.conftest import SOURCE, STREAM, Ticking, record, refusal, rows, start
from zimun_sync.ids import IdState, Known
from zimun_sync.store import Cleaned, Keep, Lease, Received, Run, RunStatus, Store
from zimun_sync.store.retention import BATCH_ROWS
from zimun_sync.store.schema import (
    history,
    hook_calls,
    inbox,
    missing,
    quarantine,
    records,
    remote_calls,
    remote_creates,
    requests,
    runs,
    seen,
)

DAY = 86_400
KEEP = Keep(inbox_days=14, runs_days=180, history_days=365, quarantine_days=180)
FOR_EVER = Keep(None, None, None, None)
NOTHING = Cleaned(0, 0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def put(store: Store) -> Callable[..., None]:
    """Puts rows into a table, for what no public method makes."""

    def put(table: sa.Table, *rows: dict[str, Any]) -> None:
        with store._database.write(durable=False) as connection:
            connection.execute(sa.insert(table), list(rows))

    return put


def finished(store: Store, lease: Lease, status: str = "succeeded") -> Run:
    listing = start(store, lease)
    listing.page(token=None)
    return listing.succeed() if status == "succeeded" else listing.fail(RunStatus(status))


def run_ids(store: Store) -> set[str]:
    return {row["run_id"] for row in rows(store, runs)}


def ids(store: Store, table: sa.Table) -> list[int]:
    return [row["id"] for row in rows(store, table)]


def settle(store: Store, *event_ids: str) -> None:
    with store._database.write(durable=False) as connection:
        connection.execute(
            sa.update(inbox)
            .where(inbox.c.event_id.in_(event_ids))
            .values(status="done", settled_at=store.now(), body=None)
        )


def test_an_empty_state_has_nothing_to_clean(store: Store) -> None:
    assert store.retention.clean(KEEP) == NOTHING


def test_settled_events_go_after_their_time_and_waiting_ones_stay(
    store: Store, clock: Ticking
) -> None:
    events = [Received(SOURCE, name, 0, b"{}") for name in ("old", "waiting", "young")]
    store.inbox.add(events)
    settle(store, "old")
    clock.forward(14 * DAY)
    settle(store, "young")
    assert store.retention.clean(KEEP).inbox == 1
    assert [row["event_id"] for row in rows(store, inbox)] == ["waiting", "young"]
    assert store.inbox.add(events) == 1  # only the one that is forgotten is new again


def test_the_latest_run_and_the_last_good_one_stay_however_old(
    store: Store, lease: Lease, clock: Ticking
) -> None:
    first = finished(store, lease)
    good = finished(store, lease)
    failed = finished(store, lease, "failed")
    latest = finished(store, lease, "failed")
    clock.forward(181 * DAY)
    assert store.retention.clean(KEEP).runs == 2
    assert run_ids(store) == {good.run_id, latest.run_id}
    assert {first.run_id, failed.run_id}.isdisjoint(run_ids(store))
    assert store.runs.last_success(SOURCE, STREAM) == good


def test_each_stream_keeps_its_own_runs(store: Store, lease: Lease, clock: Ticking) -> None:
    store.add_source("other")
    others = store.leases.acquire("source:other")
    finished(store, lease)
    kept = store.runs.succeed(
        others, store.runs.begin(others, "other", STREAM, "p"), listed_everything=True
    )
    finished(store, lease)
    clock.forward(181 * DAY)
    assert store.retention.clean(KEEP).runs == 1
    assert kept.run_id in run_ids(store)


def test_young_runs_and_those_that_wait_for_a_person_stay(
    store: Store, lease: Lease, clock: Ticking, put: Callable[..., None]
) -> None:
    held = finished(store, lease, "needs_attention")
    found_missing = finished(store, lease, "failed")
    row = {"listing": 1, "key": "k", "state": "held", "missed_at": 0}
    put(missing, row | {"run_id": found_missing.run_id})
    clock.forward(181 * DAY)
    young = [finished(store, lease), finished(store, lease)]
    assert store.retention.clean(KEEP).runs == 0
    kept = {held.run_id, found_missing.run_id, *(run.run_id for run in young)}
    assert run_ids(store) == kept


def test_what_a_listing_brought_goes_with_its_run(
    store: Store, lease: Lease, clock: Ticking, put: Callable[..., None]
) -> None:
    old = finished(store, lease, "failed")
    clock.forward(181 * DAY)
    running = start(store, lease).run
    put(
        seen,
        *({"run_id": old.run_id, "page": page, "keys": b""} for page in (1, 2)),
        {"run_id": running.run_id, "page": 1, "keys": b""},
    )
    cleaned = store.retention.clean(KEEP)
    assert (cleaned.runs, cleaned.seen) == (1, 2)
    assert [row["run_id"] for row in rows(store, seen)] == [running.run_id]


def test_superseded_versions_go_after_their_time_and_records_never(
    store: Store, lease: Lease, clock: Ticking
) -> None:
    listing = start(store, lease)
    for number, name in enumerate(("one", "two", "three", "four"), start=1):
        listing.page(record("k", name, number), asked_at=number)
        clock.forward(120 * DAY)
    assert store.retention.clean(KEEP).history == 0  # superseded 120, 240 and 360 days ago
    assert len(rows(store, history)) == 3
    clock.forward(130 * DAY)
    assert store.retention.clean(KEEP).history == 1
    left = {row["version"]: row["pruned"] for row in rows(store, history)}
    assert left == {2_000_000: True, 3_000_000: False}  # the second tells what the third changed
    assert len(rows(store, records)) == 1


def test_closed_quarantine_entries_go_and_all_others_stay(
    store: Store, lease: Lease, clock: Ticking
) -> None:
    listing = start(store, lease)
    listing.page(refused=[refusal(key) for key in ("closed", "dropped", "retried", "open")])
    numbers = {entry.key: entry.id for entry in store.quarantine.entries()}
    for key, status in (("closed", "closed"), ("dropped", "dropped"), ("retried", "retry")):
        store.quarantine.mark(numbers[key], status)
    clock.forward(181 * DAY)
    assert store.retention.clean(KEEP).quarantine == 1
    assert {row["key"] for row in rows(store, quarantine)} == {"dropped", "retried", "open"}


def test_answered_requests_and_old_calls_go(
    store: Store, clock: Ticking, put: Callable[..., None]
) -> None:
    now = store.now()
    request = {"kind": "sync", "arguments": "{}", "requested_at": now}
    put(requests, request | {"finished_at": now}, request | {"finished_at": None})
    call = {"hook": "bi", "event": "succeeded", "payload": "{}", "needs": "{}", "status": "done"}
    put(hook_calls, call | {"attempts": 1, "created_at": now, "due_at": now})
    assert store.retention.clean(FOR_EVER) == NOTHING
    clock.forward(31 * DAY)
    cleaned = store.retention.clean(FOR_EVER)
    assert (cleaned.requests, cleaned.hook_calls) == (1, 1)
    assert [row["finished_at"] for row in rows(store, requests)] == [None]


def test_null_keeps_for_ever(store: Store, lease: Lease, clock: Ticking) -> None:
    finished(store, lease)
    finished(store, lease)
    store.inbox.add([Received(SOURCE, "old", 0, b"{}")])
    settle(store, "old")
    clock.forward(10_000 * DAY)
    assert store.retention.clean(FOR_EVER) == NOTHING


def test_many_rows_go_in_bounded_transactions_and_only_once(
    store: Store, clock: Ticking, put: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 2 * BATCH_ROWS + 1
    common = {"source": SOURCE, "status": "done", "sent_at": 0, "received_at": 0, "settled_at": 0}
    put(inbox, *(common | {"event_id": str(number)} for number in range(many)))
    store.inbox.add([Received(SOURCE, "waiting", 0, b"{}")])
    writes: list[int] = []
    plain = store._database.write

    def counted(*, durable: bool) -> Any:
        writes.append(len(ids(store, inbox)))
        return plain(durable=durable)

    monkeypatch.setattr(store._database, "write", counted)
    assert store.retention.clean(KEEP).inbox == many
    assert writes == [many + 1, many + 1 - BATCH_ROWS, 2]
    assert store.retention.clean(KEEP) == NOTHING


def test_it_ends_between_two_transactions_when_told_to(
    store: Store, put: Callable[..., None]
) -> None:
    many = BATCH_ROWS + 1
    common = {"source": SOURCE, "status": "done", "sent_at": 0, "received_at": 0, "settled_at": 0}
    put(inbox, *(common | {"event_id": str(number)} for number in range(many)))
    answers = iter([False, True])
    assert store.retention.clean(KEEP, lambda: next(answers)).inbox == BATCH_ROWS
    assert len(ids(store, inbox)) == 1
    assert store.retention.clean(KEEP).inbox == 1


def test_long_histories_are_walked_by_their_whole_key(
    store: Store, put: Callable[..., None], clock: Ticking
) -> None:
    """Batches end within one record's versions: the next one goes on right behind."""
    clock.now = datetime(2030, 1, 1, tzinfo=UTC)
    common = {
        "listing": 1,
        "since": 0,
        "deleted": False,
        "row": b"",
        "run_id": "r",
        "observed_at": 0,
        "overruled": 0,
        "pruned": False,
        "seq": 1,
    }
    young = store.now()
    put(
        history,
        *(
            common
            | {
                "key": f"k{number % 3}",
                "correction": number % 2,
                "version": number,
                "hash": bytes([number % 256]),
                "superseded_at": young if number % 10 == 0 else 0,
            }
            for number in range(12_000)
        ),
    )
    assert store.retention.clean(KEEP).history == 10_800 - 3
    left = [row["superseded_at"] for row in rows(store, history) if not row["pruned"]]
    assert set(left) == {young}


def test_counts_of_remote_sinks_go_unless_someone_has_to_be_asked(
    store: Store, clock: Ticking
) -> None:
    memory = store.memory("crm", store.leases.acquire("sink:crm"))
    memory.save("appointment", [Known("main/a", IdState.LINKED, "7")])
    memory.calls(clock().date(), 3)
    memory.notice("unmapped-owner", "st_1", "Nobody there has that address.")
    assert memory.spend("done", 5, 10)
    assert not memory.spend("held", 11, 10)
    clock.forward(29 * DAY)
    assert memory.spend("young", 5, 10)
    clock.forward(2 * DAY)
    cleaned = store.retention.clean(KEEP)
    assert (cleaned.remote_creates, cleaned.remote_calls) == (1, 1)
    assert {row["run_id"] for row in rows(store, remote_creates)} == {"held", "young"}
    assert rows(store, remote_calls) == []
    assert memory.known("appointment", ["main/a"])  # else it would be created again
    assert store.notices.of("crm")
    assert store.activations.approve("crm") == ("held",)
