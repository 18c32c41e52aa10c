"""Calls of hooks outlive the process, and end once."""

from typing import Any

import pytest

from tests.store.conftest import State, Ticking, rows
from zimun_sync.errors import StoreError
from zimun_sync.store import HookCall, NewCall, Store
from zimun_sync.store.schema import hook_calls

NEEDS = {"crm": {"main": 7}}


def new(hook: str = "bi", at: int = 100, needs: Any = None, **payload: Any) -> NewCall:
    fields = {"subject": "source main", "source": "main"} | payload
    return NewCall(hook, "succeeded", fields, needs or {}, at)


def statuses(store: Store) -> list[str]:
    return [row["status"] for row in rows(store, hook_calls)]


def test_a_call_is_read_as_it_was_entered(store: Store) -> None:
    payload: dict[str, Any] = {"reason": "ü \0 \"'", "records": 3, "seconds": 1.5, "changed": None}
    store.hook_calls.add(new(needs=NEEDS, **payload))
    (call,) = store.hook_calls.waiting()
    told = {"subject": "source main", "source": "main"} | payload
    assert call == HookCall(call.id, "bi", "succeeded", told, NEEDS, 0, 100, 100)
    assert call.waits_for_sinks


def test_calls_outlive_the_process_in_their_order(state: State) -> None:
    with state.open() as first:
        first.hook_calls.add(new("b"), new("a"))
        first.hook_calls.add(new("c", at=1))
    with state.open() as second:
        assert [each.hook for each in second.hook_calls.waiting()] == ["b", "a", "c"]


def test_several_calls_are_entered_together_or_not_at_all(store: Store) -> None:
    beyond = 2**63  # no database holds it
    with pytest.raises((StoreError, OverflowError)):
        store.hook_calls.add(new("a"), new("b", at=beyond))
    assert store.hook_calls.waiting() == []


def test_a_failed_try_is_counted_and_waits(store: Store) -> None:
    store.hook_calls.add(new(needs=NEEDS))
    (call,) = store.hook_calls.waiting()
    store.hook_calls.try_again(call.id, 999, "It answered 500.")
    (again,) = store.hook_calls.waiting()
    assert (again.attempts, again.due_at, again.created_at) == (1, 999, 100)
    assert not again.waits_for_sinks
    assert rows(store, hook_calls)[0]["error"] == "It answered 500."


@pytest.mark.parametrize("end", ["done", "failed", "dropped"])
def test_a_call_that_is_over_stays_so(store: Store, clock: Ticking, end: str) -> None:
    calls = store.hook_calls
    calls.add(new())
    (call,) = calls.waiting()
    if end == "done":
        calls.done(call.id)
    elif end == "failed":
        calls.give_up(call.id, "It answered \0 500.")
    else:
        calls.drop(call.id, "It is gone.")
    assert calls.waiting() == []
    (before,) = rows(store, hook_calls)
    assert before["status"] == end
    assert abs(before["due_at"] - store.now()) < 1_000_000
    calls.try_again(call.id, 1, "late")
    calls.done(call.id)
    calls.give_up(call.id, "late")
    calls.drop(call.id, "late")
    assert rows(store, hook_calls) == [before]


def test_what_is_given_up_is_shown_with_its_reason(store: Store) -> None:
    store.hook_calls.add(new("bad", at=store.now()), new("well", at=store.now()))
    bad, well = store.hook_calls.waiting()
    store.hook_calls.give_up(bad.id, "It answered \0 500.")
    store.hook_calls.done(well.id)
    (given_up,) = store.overview.given_up(60)
    assert given_up.hook == "bad"
    assert given_up.error == "It answered \N{REPLACEMENT CHARACTER} 500."


def test_a_success_wipes_the_error_of_tries_before(store: Store) -> None:
    store.hook_calls.add(new())
    (call,) = store.hook_calls.waiting()
    store.hook_calls.try_again(call.id, 1, "It answered 500.")
    store.hook_calls.done(call.id)
    (row,) = rows(store, hook_calls)
    assert (row["status"], row["error"], row["attempts"]) == ("done", None, 2)


def test_a_newer_call_for_sinks_replaces_the_one_before_and_inherits_its_wait(
    store: Store,
) -> None:
    store.hook_calls.add(new(needs=NEEDS, at=100))
    store.hook_calls.add(new(needs=NEEDS, at=200))
    store.hook_calls.add(new(needs=NEEDS, at=300))
    (call,) = store.hook_calls.waiting()
    assert (call.created_at, call.due_at) == (100, 300)
    assert statuses(store) == ["dropped", "dropped", "waiting"]


@pytest.mark.parametrize(
    "other",
    [
        new("other", needs=NEEDS),
        new(needs=NEEDS, subject="source other"),
        NewCall("bi", "failed", {"subject": "source main"}, NEEDS, 1),
    ],
)
def test_a_call_of_something_else_replaces_nothing(store: Store, other: NewCall) -> None:
    store.hook_calls.add(new(needs=NEEDS))
    store.hook_calls.add(other)
    assert statuses(store) == ["waiting", "waiting"]


def test_a_call_that_was_tried_is_not_replaced(store: Store) -> None:
    store.hook_calls.add(new(needs=NEEDS))
    (call,) = store.hook_calls.waiting()
    store.hook_calls.try_again(call.id, 1, "It answered 500.")
    store.hook_calls.add(new(needs=NEEDS, at=200))
    assert statuses(store) == ["waiting", "waiting"]
    assert [each.created_at for each in store.hook_calls.waiting()] == [100, 200]


def test_a_newer_call_replaces_one_that_waits_for_an_earlier_one_to_be_tried_again(
    store: Store,
) -> None:
    store.hook_calls.add(new(at=1))
    (head,) = store.hook_calls.waiting()
    store.hook_calls.try_again(head.id, 999, "It answered 500.")
    other = NewCall("bi", "failed", {"subject": "source main"}, {}, 2)
    store.hook_calls.add(other, new(at=3), new("other", at=4), new(at=5, subject="disk"))
    store.hook_calls.add(new(at=6), new(at=7))
    left = [(each.hook, each.event, each.due_at) for each in store.hook_calls.waiting()]
    assert left == [
        ("bi", "succeeded", 999),
        ("bi", "failed", 2),
        ("other", "succeeded", 4),
        ("bi", "succeeded", 5),
        ("bi", "succeeded", 7),
    ]


def test_calls_that_wait_for_nothing_but_their_turn_replace_none(store: Store) -> None:
    store.hook_calls.add(new(at=1), new(at=2))
    store.hook_calls.add(new(at=3))
    assert statuses(store) == ["waiting"] * 3
