"""Slots: each one is taken once, whoever asks."""

from datetime import datetime

from tests.store.conftest import State, Ticking
from zimun_sync.store import Store
from zimun_sync.store.slots import Slot

FIRST, SECOND = (
    datetime.fromisoformat("2026-10-25T02:30"),
    datetime.fromisoformat("2026-10-26T02:30"),
)
DAY = 86_400


def test_a_job_that_never_ran_has_no_slot(store: Store) -> None:
    assert store.slots.latest("nightly:main") is None


def test_a_slot_is_taken_once(store: Store, state: State) -> None:
    assert store.slots.take("nightly:main", FIRST)
    assert not store.slots.take("nightly:main", FIRST)
    assert not state.open().slots.take("nightly:main", FIRST)
    assert store.slots.take("nightly:other", FIRST)


def test_an_earlier_slot_is_never_taken_after_a_later_one(store: Store) -> None:
    assert store.slots.take("nightly:main", SECOND)
    assert not store.slots.take("nightly:main", FIRST)
    assert store.slots.latest("nightly:main") == Slot(SECOND, finished=False)


def test_a_slot_is_finished_until_the_next_is_taken(store: Store) -> None:
    store.slots.take("nightly:main", FIRST)
    store.slots.finish("nightly:main", FIRST)
    assert store.slots.latest("nightly:main") == Slot(FIRST, finished=True)
    store.slots.take("nightly:main", SECOND)
    store.slots.finish("nightly:main", FIRST)  # a run that ended late
    assert store.slots.latest("nightly:main") == Slot(SECOND, finished=False)


def test_a_slot_can_be_opened_again(store: Store) -> None:
    store.slots.reopen("nightly:main")
    assert store.slots.latest("nightly:main") is None
    for job in ("nightly:main", "nightly:other"):
        store.slots.take(job, FIRST)
        store.slots.finish(job, FIRST)
    store.slots.reopen("nightly:main")
    assert store.slots.latest("nightly:main") == Slot(FIRST, finished=False)
    assert store.slots.latest("nightly:other") == Slot(FIRST, finished=True)


def test_a_slot_that_was_taken_on_a_clock_far_ahead_does_not_count(
    store: Store, clock: Ticking
) -> None:
    clock.forward(30 * DAY)
    store.slots.take("nightly:main", SECOND)
    clock.forward(-30 * DAY)
    assert store.slots.latest("nightly:main") is None
    assert store.slots.take("nightly:main", FIRST)
    assert not store.slots.take("nightly:main", FIRST)
    assert store.slots.latest("nightly:main") == Slot(FIRST, finished=False)


def test_a_slot_that_was_taken_on_a_clock_some_hours_ahead_counts(
    store: Store, clock: Ticking
) -> None:
    clock.forward(DAY - 60)
    store.slots.take("nightly:main", SECOND)
    clock.forward(60 - DAY)
    assert not store.slots.take("nightly:main", FIRST)
    assert store.slots.latest("nightly:main") == Slot(SECOND, finished=False)
