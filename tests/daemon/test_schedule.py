"""The schedule with the real scheduler, on a clock that travels."""

import time_machine

from tests.daemon.clockwork import PATIENCE, Clockwork, Work, berlin, nightly, weekly
from zimun_sync.daemon.schedule import Schedule


def test_the_night_on_which_half_past_two_comes_twice_has_one_run(clockwork: Clockwork) -> None:
    clockwork.settle("2026-10-24T02:30")
    work = Work()
    with clockwork.running(nightly(work), at="2026-10-25T02:00") as travel:
        assert work.causes == []
        travel("2026-10-25T02:30:01+02:00")
        assert work.causes == ["nightly"]
        travel("2026-10-25T02:30:01+01:00")  # the clock shows it again
        assert work.causes == ["nightly"]
        travel("2026-10-26T02:30:01+01:00")
        assert work.causes == ["nightly", "nightly"]
        assert clockwork.latest() == "2026-10-26T02:30"


def test_the_night_on_which_half_past_two_never_comes_has_one_run(clockwork: Clockwork) -> None:
    clockwork.settle("2026-03-28T02:30")
    work = Work()
    with clockwork.running(nightly(work), at="2026-03-29T01:00") as travel:
        travel("2026-03-29T03:00:01+02:00")
        assert work.causes == []
        travel("2026-03-29T03:30:01+02:00")
        assert work.causes == ["nightly"]
        travel("2026-03-30T02:30:01+02:00")
        assert work.causes == ["nightly", "nightly"]
        assert clockwork.latest() == "2026-03-30T02:30"


def test_a_first_start_runs_at_once(clockwork: Clockwork) -> None:
    work = Work()
    with clockwork.running(nightly(work), at="2026-11-20T12:00") as travel:
        assert work.causes == ["start"]
        travel("2026-11-20T23:00:00+01:00")
    assert work.causes == ["start"]


def test_a_job_that_need_not_run_at_first_waits_for_its_slot(clockwork: Clockwork) -> None:
    work = Work()
    with clockwork.running(weekly(work), at="2026-11-20T12:00") as travel:
        assert work.causes == []
        travel("2026-11-22T04:00:01+01:00")
    assert work.causes == ["reconcile"]


def test_a_machine_that_is_on_on_wednesdays_only_reconciles_then(clockwork: Clockwork) -> None:
    work, taken = Work(), []
    for day in ("2026-11-04", "2026-11-11", "2026-11-18"):
        with clockwork.running(weekly(work), at=f"{day}T09:00") as travel:
            travel(f"{day}T17:00:00+01:00")
            taken.append(clockwork.latest("reconcile:main"))
    assert work.causes == ["start", "start"]
    assert taken[0].startswith("2026-11-04T09:0")  # it counts from then on
    assert taken[1:] == ["2026-11-08T04:00", "2026-11-15T04:00"]


def test_nights_that_were_missed_are_made_up_for_by_one_run(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-10T02:30")
    work = Work()
    with clockwork.running(nightly(work), at="2026-11-20T12:00") as travel:
        assert work.causes == ["start"]
        travel("2026-11-21T02:30:01+01:00")
    assert work.causes == ["start", "nightly"]


def test_nights_that_a_sleeping_machine_missed_are_made_up_for_by_one_run(
    clockwork: Clockwork,
) -> None:
    clockwork.settle("2026-11-20T02:30")
    work = Work()
    with clockwork.running(nightly(work), at="2026-11-20T12:00") as travel:
        travel("2026-11-30T09:00:00+01:00")
        assert work.causes == ["nightly"]
        assert clockwork.latest() == "2026-11-30T02:30"


def test_a_restart_after_the_nights_run_runs_nothing(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-20T02:30")
    work = Work()
    with clockwork.running(nightly(work), at="2026-11-20T02:31") as travel:
        travel("2026-11-20T23:00:00+01:00")
    assert work.causes == []


def test_a_run_that_a_crash_cut_short_is_taken_up(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-20T02:30", finished=False)
    work = Work()
    with clockwork.running(nightly(work), at="2026-11-20T12:00"):
        assert work.causes == ["start"]
        assert clockwork.latest() == "2026-11-20T02:30"


def test_a_long_absence_is_made_up_for_although_no_night_was_missed(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-20T02:30")
    work = Work()
    with clockwork.running(nightly(work, catch_up=True), at="2026-11-20T12:00") as travel:
        assert work.causes == ["start"]
        travel("2026-11-20T23:00:00+01:00")
    assert work.causes == ["start"]


def test_a_clock_that_was_years_ahead_once_does_not_end_the_nights(clockwork: Clockwork) -> None:
    clockwork.settle("2030-01-01T02:30")
    work = Work()
    with clockwork.running(nightly(work), at="2026-11-20T12:00") as travel:
        assert work.causes == ["start"]
        travel("2026-11-21T02:30:01+01:00")
    assert work.causes == ["start", "nightly"]


def test_a_clock_that_is_set_back_repeats_no_night(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-20T02:30")
    work = Work()
    with clockwork.running(nightly(work), at="2026-11-20T02:00") as travel:
        travel("2026-11-20T02:30:01+01:00")
        assert work.causes == []
        travel("2026-11-21T02:30:01+01:00")
    assert work.causes == ["nightly"]


def test_a_slot_that_comes_during_a_run_has_a_run_of_its_own(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-10T02:30")
    work = Work()
    work.go_on.clear()
    with clockwork.by_hand(nightly(work), at="2026-11-20T02:00") as hands:
        assert work.begun.get(timeout=PATIENCE) == "start"
        hands.move("2026-11-20T02:31:00+01:00")
        work.go_on.set()
        assert work.begun.get(timeout=PATIENCE) == "nightly"
        hands.passes.wait_for_end()
        assert clockwork.latest() == "2026-11-20T02:30"


def test_a_slot_that_waits_for_a_run_does_not_begin_after_the_end(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-18T02:30")
    work = Work([False])
    work.go_on.clear()
    with clockwork.by_hand(nightly(work), at="2026-11-20T02:00") as hands:
        assert work.begun.get(timeout=PATIENCE) == "start"
        hands.move("2026-11-20T02:32:00+01:00")
        hands.schedule.stop()
        work.go_on.set()
        hands.passes.wait_for_end()
        assert work.causes == ["start"]
        assert clockwork.latest() == "2026-11-19T02:30 unfinished"


def test_neither_the_next_slot_nor_a_next_try_begins_after_the_end(clockwork: Clockwork) -> None:
    clockwork.settle("2026-11-18T02:30")
    work = Work([False])
    with clockwork.by_hand(nightly(work), at="2026-11-20T02:27") as hands:
        hands.move("2026-11-20T02:29:00+01:00")
        hands.passes.wait_for_end()
        work.go_on.clear()
        hands.move("2026-11-20T02:31:00+01:00")
        assert [work.begun.get(timeout=PATIENCE) for _ in range(2)] == ["start", "nightly"]
        hands.move("2026-11-21T02:36:00+01:00")
        hands.schedule.stop()
        work.go_on.set()
        hands.passes.wait_for_end()
        assert work.causes == ["start", "nightly"]
        assert clockwork.latest() == "2026-11-20T02:30 unfinished"


def test_a_schedule_that_never_began_can_be_stopped(clockwork: Clockwork) -> None:
    Schedule(clockwork.store.slots, "Europe/Berlin", 0.0, print).stop()


def test_next_time_is_told(clockwork: Clockwork) -> None:
    with time_machine.travel(berlin("2026-11-20T12:00"), tick=False):
        schedule = Schedule(clockwork.store.slots, "Europe/Berlin", 3600.0, print, lambda: 1.0)
        schedule.start([weekly(Work())])
        found = schedule.next_time("reconcile:main")
        schedule.stop()
    assert found == berlin("2026-11-22T05:00")
