"""Runs that fail, and a state that cannot be reached: tried again, told, and never lost."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.daemon.clockwork import Clockwork, Work, nightly
from zimun_sync.errors import LeaseLost, StoreError
from zimun_sync.events import StateUnavailable


def test_an_absence_is_made_up_for_also_when_that_fails_at_first(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-20T02:30")
    work = Work([False, True])  # such as a network that is not up yet
    with clockwork.running(nightly(work, catch_up=True), at="2026-11-20T12:00") as travel:
        assert work.causes == ["start"]
        assert clockwork.latest() == "2026-11-20T02:30 unfinished"
        travel("2026-11-20T12:10:00+01:00")
        assert work.causes == ["start", "retry"]
        assert clockwork.latest() == "2026-11-20T02:30"


def test_a_failed_run_is_tried_again_ever_later_until_the_next_slot(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-19T02:30")
    work = Work([False])
    with clockwork.running(nightly(work), at="2026-11-20T02:00") as travel:
        travel("2026-11-20T02:30:00+01:00")
        for minutes in (5, 15, 30, 60, 60):
            failed_at = datetime.now(UTC) - timedelta(seconds=61)
            count = len(work.causes)
            travel((failed_at + timedelta(minutes=minutes, seconds=-62)).isoformat())
            assert len(work.causes) == count
            travel((failed_at + timedelta(minutes=minutes)).isoformat())
            assert work.causes[count:] == ["retry"]
        travel("2026-11-21T02:30:00+01:00")
        assert work.causes[-1] == "nightly"
        assert clockwork.latest() == "2026-11-21T02:30 unfinished"
        work.ends = [True]
        travel("2026-11-21T02:36:00+01:00")  # the waits begin anew with the slot
        assert work.causes[-2:] == ["nightly", "retry"]
        assert clockwork.latest() == "2026-11-21T02:30"
        travel("2026-11-21T23:00:00+01:00")
        assert work.causes[-2:] == ["nightly", "retry"]


def test_a_good_run_at_a_slot_makes_the_next_try_of_a_failed_one_needless(
    clockwork: Clockwork,
) -> None:
    clockwork.settle("2026-11-19T02:30")
    work = Work([False, True])
    with clockwork.running(nightly(work, catch_up=True), at="2026-11-20T02:27") as travel:
        assert work.causes == ["start"]
        travel("2026-11-20T02:30:00+01:00")
        travel("2026-11-20T02:40:00+01:00")
        assert work.causes == ["start", "nightly"]
        assert clockwork.latest() == "2026-11-20T02:30"


def test_a_night_on_which_the_state_cannot_be_reached_is_not_lost(
    clockwork: Clockwork, tmp_path: Path
) -> None:
    clockwork.settle("2026-11-19T02:30")
    work = Work()
    with clockwork.running(nightly(work), at="2026-11-20T02:00") as travel:
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            travel("2026-11-20T02:30:01+01:00")
            other.execute("ROLLBACK")
        assert work.causes == []
        travel("2026-11-20T02:36:00+01:00")
        assert work.causes == ["nightly"]
        assert clockwork.latest() == "2026-11-20T02:30"
    (told,) = clockwork.told
    assert isinstance(told, StateUnavailable)
    assert (told.worker, told.wait) == ("nightly:main", 300)
    assert clockwork.failures == []


def test_a_start_at_which_the_state_cannot_be_reached_makes_up_for_the_absence_later(
    clockwork: Clockwork, tmp_path: Path
) -> None:
    clockwork.settle("2026-11-20T02:30")
    work = Work()
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with clockwork.running(nightly(work, catch_up=True), at="2026-11-20T12:00") as travel:
            other.execute("ROLLBACK")
            assert work.causes == []
            travel("2026-11-20T12:10:00+01:00")
    assert work.causes == ["retry"]


@pytest.mark.parametrize("error", [RuntimeError("A bug."), LeaseLost("Taken over.")])
def test_what_a_job_raises_is_told_and_counts_as_a_failure(
    clockwork: Clockwork, error: BaseException
) -> None:
    work = Work([error, True])
    with clockwork.running(nightly(work), at="2026-11-20T12:00") as travel:
        assert clockwork.failures == [error]
        assert clockwork.latest() == "2026-11-20T02:30 unfinished"
        travel("2026-11-20T12:10:00+01:00")
    assert work.causes == ["start", "retry"]
    assert clockwork.told == []


def test_trouble_with_the_state_in_a_run_does_not_count_as_a_bug(clockwork: Clockwork) -> None:
    work = Work([StoreError("It restarts."), True])
    with clockwork.running(nightly(work), at="2026-11-20T12:00") as travel:
        travel("2026-11-20T12:10:00+01:00")
    assert work.causes == ["start", "retry"]
    assert clockwork.failures == []
    assert clockwork.told == [StateUnavailable("nightly:main", 300, "It restarts.")]


def test_chance_makes_the_next_try_later(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-18T02:30")
    work = Work([StoreError("It restarts.")])
    with clockwork.by_hand(nightly(work), at="2026-11-20T02:00", jitter=60.0) as hands:
        hands.move("2026-11-20T02:02:00+01:00")
        hands.passes.wait_for_end()
    assert clockwork.told == [StateUnavailable("nightly:main", 360, "It restarts.")]
