"""A schedule with the real scheduler, on a clock that only moves when told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from threading import Condition, Event
from zoneinfo import ZoneInfo

import time_machine
from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_SUBMITTED, JobEvent

from zimun_sync.cron import WallClock
from zimun_sync.daemon.schedule import Job, Schedule
from zimun_sync.events import Event as Happened
from zimun_sync.store import Store

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = WallClock("30 2 * * *")
SUNDAYS = WallClock("0 4 * * sun")
PATIENCE = 20.0

Travel = Callable[[str], None]
_EVENTS = EVENT_JOB_SUBMITTED | EVENT_JOB_EXECUTED


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@dataclass
class Work:
    """A job's work: `ends` says how its runs end, the last one for ever."""

    ends: list[bool | BaseException] = field(default_factory=lambda: [True])
    causes: list[str] = field(default_factory=list)
    begun: SimpleQueue[str] = field(default_factory=SimpleQueue)
    go_on: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    def __call__(self, cause: str) -> bool:
        self.causes.append(cause)
        self.begun.put(cause)
        assert self.go_on.wait(PATIENCE)
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        if isinstance(end, BaseException):
            raise end
        return end


class Passes:
    """Knows when the scheduler has looked at the clock and all that it began is over."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._ticks = 0
        self._submitted = 0
        self._executed = 0

    def note(self, event: JobEvent) -> None:
        with self._changed:
            began = event.code == EVENT_JOB_SUBMITTED
            self._ticks += began and event.job_id == "tick"
            self._submitted += began
            self._executed += not began
            self._changed.notify_all()

    def wait_for_tick(self, move: Callable[[], None]) -> None:
        with self._changed:
            before = self._ticks
            move()
            assert self._changed.wait_for(lambda: self._ticks > before, PATIENCE)

    def wait_for_end(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._submitted == self._executed, PATIENCE)


@dataclass(frozen=True)
class Hands:
    """A schedule at work, and what moves its clock."""

    schedule: Schedule
    passes: Passes
    travel: Callable[[datetime], None]

    def move(self, to: str) -> None:
        """Until the schedule has looked at the clock."""

        def move() -> None:
            self.travel(datetime.fromisoformat(to).astimezone(UTC))
            self.schedule.look()

        self.passes.wait_for_tick(move)


class Clockwork:
    """A schedule on a clock that only moves when told."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failures: list[BaseException] = []
        self.told: list[Happened] = []

    def settle(self, slot: str, job: str = "nightly:main", *, finished: bool = True) -> None:
        """As if that slot had been run."""
        moment = datetime.fromisoformat(slot)
        with time_machine.travel(berlin(slot), tick=False):
            assert self.store.slots.take(job, moment)
            if finished:
                self.store.slots.finish(job, moment)

    def latest(self, job: str = "nightly:main") -> str:
        latest = self.store.slots.latest(job)
        assert latest is not None
        return f"{latest.at:%Y-%m-%dT%H:%M}" + ("" if latest.finished else " unfinished")

    @contextmanager
    def by_hand(self, *jobs: Job, at: str, jitter: float = 0.0) -> Iterator[Hands]:
        """Keep the schedule from that time in Berlin on."""
        with time_machine.travel(berlin(at), tick=False) as traveller:
            schedule = Schedule(
                self.store.slots,
                "Europe/Berlin",
                jitter,
                self.failures.append,
                lambda: 1.0,
                self.told.append,
            )
            hands = Hands(schedule, Passes(), traveller.move_to)
            schedule._scheduler.add_listener(hands.passes.note, _EVENTS)
            schedule.start(jobs)
            try:
                yield hands
            finally:
                schedule.stop()

    @contextmanager
    def running(self, *jobs: Job, at: str) -> Iterator[Travel]:
        """The same; gives what moves the clock and lets all end that has begun by then."""
        with self.by_hand(*jobs, at=at) as hands:

            def travel(to: str) -> None:
                moment = datetime.fromisoformat(to)
                hands.move(to)
                # The second look at the clock tells that everything of the first has begun.
                hands.move((moment + timedelta(seconds=61)).isoformat())
                hands.passes.wait_for_end()

            travel((berlin(at) + timedelta(seconds=61)).isoformat())
            yield travel


def nightly(work: Work, **more: bool) -> Job:
    return Job("nightly:main", "nightly", NIGHTLY, work, **more)


def weekly(work: Work) -> Job:
    return Job("reconcile:main", "reconcile", SUNDAYS, work, at_first=False)
