"""The schedule with the real scheduler, on a clock that travels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from apscheduler.events import EVENT_JOB_EXECUTED
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.cron import WallClock, instant, slot_after
from zimun_sync.daemon.schedule import Job, Schedule
from zimun_sync.store import Store

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = WallClock("30 2 * * *")
PATIENCE = 20.0

Travel = Callable[[str], None]


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


class Watched:
    """A job whose runs can be waited for; `good` says how they end."""

    def __init__(self) -> None:
        self.causes: SimpleQueue[str] = SimpleQueue()
        self.good = True
        self.runs = 0

    def __call__(self, cause: str) -> bool:
        self.runs += 1
        self.causes.put(cause)
        return self.good

    def next(self) -> str:
        return self.causes.get(timeout=PATIENCE)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open("sqlite:///state.db", tmp_path) as opened:
        yield opened


@pytest.fixture
def failures() -> list[BaseException]:
    return []


class Clockwork:
    """A schedule on a clock that only moves when told."""

    def __init__(self, store: Store, failures: list[BaseException]) -> None:
        self.store = store
        self.failures = failures
        self.ended: SimpleQueue[Any] = SimpleQueue()
        self.counted = 0

    @contextmanager
    def running(self, job: Watched, at: str, **more: bool) -> Iterator[Travel]:
        with time_machine.travel(berlin(at), tick=False) as traveller:
            schedule = Schedule(self.store.slots, "Europe/Berlin", 0.0, self.failures.append)
            schedule._scheduler.add_listener(self.ended.put, EVENT_JOB_EXECUTED)
            schedule.start([Job("nightly:main", "nightly", NIGHTLY, job, **more)])

            def travel(to: str) -> None:
                while self.counted < job.runs:  # each run is over before time goes on
                    self.counted += self.ended.get(timeout=PATIENCE).job_id != "tick"
                traveller.move_to(datetime.fromisoformat(to).astimezone(UTC))
                schedule.look()

            yield travel
            schedule.stop()


@pytest.fixture
def clockwork(store: Store, failures: list[BaseException]) -> Clockwork:
    return Clockwork(store, failures)


def settled(store: Store, slot: str) -> None:
    """As if that slot had been run to its end."""
    moment = datetime.fromisoformat(slot)
    store.slots.take("nightly:main", moment)
    store.slots.finish("nightly:main", moment)


def test_the_night_on_which_half_past_two_comes_twice_has_one_run(
    clockwork: Clockwork, store: Store
) -> None:
    settled(store, "2026-10-24T02:30")
    job = Watched()
    with clockwork.running(job, "2026-10-25T02:00") as travel:
        travel("2026-10-25T02:30:01+02:00")
        assert job.next() == "nightly"
        travel("2026-10-25T02:30:01+01:00")  # the clock shows it again
        travel("2026-10-26T02:30:01+01:00")
        assert job.next() == "nightly"
    assert job.runs == 2


def test_the_night_on_which_half_past_two_never_comes_has_one_run(
    clockwork: Clockwork, store: Store
) -> None:
    settled(store, "2026-03-28T02:30")
    job = Watched()
    with clockwork.running(job, "2026-03-29T01:00") as travel:
        travel("2026-03-29T03:30:01+02:00")
        assert job.next() == "nightly"
        travel("2026-03-30T02:30:01+02:00")
        assert job.next() == "nightly"
    assert job.runs == 2
    latest = store.slots.latest("nightly:main")
    assert latest is not None
    assert latest.at == datetime.fromisoformat("2026-03-30T02:30")


def test_a_first_start_runs_at_once(clockwork: Clockwork) -> None:
    job = Watched()
    with clockwork.running(job, "2026-11-20T12:00"):
        assert job.next() == "start"
    assert job.runs == 1


def test_a_job_that_need_not_run_at_first_waits_for_its_slot(clockwork: Clockwork) -> None:
    job = Watched()
    with clockwork.running(job, "2026-11-20T12:00", at_first=False) as travel:
        travel("2026-11-21T02:30:01+01:00")
        assert job.next() == "nightly"
    assert job.runs == 1


def test_nights_that_were_missed_are_made_up_for_by_one_run(
    clockwork: Clockwork, store: Store
) -> None:
    settled(store, "2026-11-10T02:30")
    job = Watched()
    with clockwork.running(job, "2026-11-20T12:00") as travel:
        assert job.next() == "start"
        travel("2026-11-21T02:30:01+01:00")
        assert job.next() == "nightly"
    assert job.runs == 2


def test_a_restart_after_the_nights_run_runs_nothing(clockwork: Clockwork, store: Store) -> None:
    settled(store, "2026-11-20T02:30")
    job = Watched()
    with clockwork.running(job, "2026-11-20T12:00") as travel:
        travel("2026-11-21T02:30:01+01:00")
        assert job.next() == "nightly"
    assert job.runs == 1


def test_a_run_that_a_crash_cut_short_is_taken_up(clockwork: Clockwork, store: Store) -> None:
    store.slots.take("nightly:main", datetime.fromisoformat("2026-11-20T02:30"))
    job = Watched()
    with clockwork.running(job, "2026-11-20T12:00"):
        assert job.next() == "start"
    assert job.runs == 1


def test_a_long_absence_is_made_up_for_although_no_night_was_missed(
    clockwork: Clockwork, store: Store
) -> None:
    settled(store, "2026-11-20T02:30")
    job = Watched()
    with clockwork.running(job, "2026-11-20T12:00", catch_up=True):
        assert job.next() == "start"


def test_a_failed_run_is_tried_again_until_it_ends_well(clockwork: Clockwork, store: Store) -> None:
    settled(store, "2026-11-19T02:30")
    job = Watched()
    job.good = False
    with clockwork.running(job, "2026-11-20T02:00") as travel:
        travel("2026-11-20T02:30:01+01:00")
        assert job.next() == "nightly"
        travel("2026-11-20T02:36:00+01:00")
        assert job.next() == "retry"
        job.good = True
        travel("2026-11-20T02:52:00+01:00")
        assert job.next() == "retry"
        travel("2026-11-21T02:30:01+01:00")
        assert job.next() == "nightly"
    assert job.runs == 4


def test_what_a_job_raises_is_told(
    clockwork: Clockwork, store: Store, failures: list[BaseException]
) -> None:
    told: SimpleQueue[BaseException] = SimpleQueue()

    def broken(cause: str) -> bool:
        raise RuntimeError("A bug.")

    with time_machine.travel(berlin("2026-11-20T12:00"), tick=False):
        schedule = Schedule(store.slots, "Europe/Berlin", 0.0, told.put)
        schedule.start([Job("nightly:main", "nightly", NIGHTLY, broken)])
        assert str(told.get(timeout=PATIENCE)) == "A bug."
        schedule.stop()


def test_next_time_is_told(clockwork: Clockwork, store: Store) -> None:
    settled(store, "2026-11-20T02:30")
    with time_machine.travel(berlin("2026-11-20T12:00"), tick=False):
        schedule = Schedule(store.slots, "Europe/Berlin", 3600.0, clockwork.failures.append)
        schedule.start([Job("nightly:main", "nightly", NIGHTLY, Watched())])
        found = schedule.next_time("nightly:main")
        schedule.stop()
    assert berlin("2026-11-21T02:30") <= found <= berlin("2026-11-21T03:30")


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")


@given(
    zone=st.sampled_from(ZONES),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    day=st.integers(0, 2500),
)
def test_every_date_has_one_run_wherever_the_clock_hangs(
    zone: str, minute: int, hour: int, day: int
) -> None:
    place, clock = ZoneInfo(zone), WallClock(f"{minute} {hour} * * *")
    moment, dates = datetime(2024, 1, 1, 5, 17, tzinfo=UTC) + timedelta(days=day), []
    for _ in range(40):
        slot = slot_after(clock, place, moment)
        moment = instant(slot, place)
        dates.append(slot.date())
    assert dates == [dates[0] + timedelta(days=day) for day in range(40)]
