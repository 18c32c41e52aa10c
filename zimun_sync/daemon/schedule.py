"""The schedule: one run a slot, whatever daylight saving, restarts and sleep do to the clock.

APScheduler waits and calls. Which slot a call is for, and whether it was run before, is told by
the store: there a slot is taken once.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from apscheduler.executors.debug import DebugExecutor
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from zimun_sync.cron import WallClock
from zimun_sync.daemon.trigger import SlotTrigger, last_slot, minute_of
from zimun_sync.errors import LeaseLost, StoreError
from zimun_sync.events import Emit, StateUnavailable, to_all
from zimun_sync.store.slots import Slots

#: Minutes after a failed run until it is tried again; the last one repeats.
RETRY_MINUTES: Final = (5, 15, 30, 60)
#: A machine that slept wakes up late: waiting does not count the time asleep.
_TICK_SECONDS: Final = 60
_AT_ONCE: Final = 20


class Run(Protocol):
    """The work of a job."""

    def __call__(self, cause: str) -> bool:
        """Do it.

        Args:
            cause: `nightly` or the job's own cause, `start` for what was missed, `retry`.

        Returns:
            Whether it came to a good end; else it is tried again.

        Raises:
            StoreError: the state could not be reached; it is tried again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do at each slot.

    Args:
        name: in the store.
        cause: what its runs are told as their cause.
        clock: its slots.
        run: its work; calls of one job never overlap.
        at_first: whether it runs at once when it never did before; else the slots count from
            then on.
        catch_up: whether it runs at once although no slot was missed.
    """

    name: str
    cause: str
    clock: WallClock
    run: Run
    at_first: bool = True
    catch_up: bool = False


@dataclass(slots=True)
class _State:
    """A job at work.

    Args:
        job: what to do.
        catch_up: whether what the job asks to catch up with is still to be written down.
        failures: of the latest slot, in a row.
    """

    job: Job
    catch_up: bool
    failures: int = 0
    lock: Lock = field(default_factory=Lock)


class Schedule:
    """Runs jobs at their slots, and those that were missed at once.

    Args:
        slots: which slots are taken.
        zone: IANA time zone of the slots.
        jitter: most seconds to start late.
        failed: told what a job raised; it counts as a failed run.
        chance: a number from 0 to 1.
        emit: told when the state cannot be reached; the run is tried again.
    """

    def __init__(
        self,
        slots: Slots,
        zone: str,
        jitter: float,
        failed: Callable[[BaseException], None],
        chance: Callable[[], float] = random.random,
        emit: Emit = to_all(),  # noqa: B008 - tells nobody, and holds nothing
    ) -> None:
        self._slots = slots
        self._zone = ZoneInfo(zone)
        self._jitter = jitter
        self._failed = failed
        self._chance = chance
        self._emit = emit
        self._stopping = Event()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_AT_ONCE), "tick": DebugExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self, jobs: Iterable[Job]) -> None:
        """Begin: what was missed, or ended in the middle, runs at once, each job once."""
        for job in jobs:
            state = _State(job, job.catch_up)
            trigger = SlotTrigger(job.clock, self._zone, self._jitter, self._chance)
            self._scheduler.add_job(self._guard, trigger, args=[self._come, state], id=job.name)
            self._scheduler.add_job(
                self._guard, args=[self._make_up, state, "start", "start"], id=f"start:{job.name}"
            )
        # The scheduler looks at the clock whenever it has something to do.
        self._scheduler.add_job(
            lambda: None, "interval", seconds=_TICK_SECONDS, id="tick", executor="tick"
        )
        self._scheduler.start()

    def next_time(self, job: str) -> datetime:
        """When a job comes next, aware UTC."""
        moment: datetime = self._scheduler.get_job(job).next_run_time
        return moment.astimezone(UTC)

    def look(self) -> None:
        """Look at the clock now; for when it was set."""
        self._scheduler.wakeup()

    def stop(self) -> None:
        """Start nothing more; runs under way are left to end by themselves."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    # -- runs ----------------------------------------------------------------------------

    def _guard(self, work: Callable[..., None], state: _State, *given: str) -> None:
        """Work for a job, one thing at a time; whatever goes wrong is told and tried again."""
        with state.lock:
            if self._stopping.is_set():
                return
            try:
                work(state, *given)
            except BaseException as error:  # noqa: BLE001 - told to whoever runs the schedule
                wait = self._again(state)
                if isinstance(error, StoreError) and not isinstance(error, LeaseLost):
                    self._emit(StateUnavailable(state.job.name, wait, error.message))
                else:
                    self._failed(error)

    def _come(self, state: _State) -> None:
        """A slot has come.

        One that comes while another is run is made up for by one more run. None is due where
        the clock was set back, or the slot was run to catch up.
        """
        while not self._stopping.is_set() and (slot := self._take(state)):
            self._run(state, slot, state.job.cause)

    def _make_up(self, state: _State, of_slot: str, of_rest: str) -> None:
        """Run what was missed, failed, or was left in the middle by a process that ended.

        Args:
            state: the job.
            of_slot: the cause if a slot has come that was not taken yet.
            of_rest: the cause if the last one has no good end.
        """
        job, latest = state.job, self._slots.latest(state.job.name)
        if state.catch_up:  # written down, so that it is tried again like any other
            self._slots.reopen(job.name)
            state.catch_up = False
        slot = self._take(state)
        if latest is None and slot is not None and not job.at_first:
            self._slots.finish(job.name, slot)
            return
        latest = self._slots.latest(job.name)
        if latest is not None and not latest.finished:
            self._run(state, latest.at, of_rest if slot is None else of_slot)

    def _take(self, state: _State) -> datetime | None:
        """Take the latest slot that has come, if nobody has; a job that never ran finds one."""
        job, now = state.job, datetime.now(UTC)
        latest = self._slots.latest(job.name)
        slot = last_slot(job.clock, self._zone, now, latest.at if latest else None)
        if slot is None and latest is None:
            slot = minute_of(now, self._zone)
        if slot is None or not self._slots.take(job.name, slot):
            return None
        state.failures = 0
        return slot

    def _run(self, state: _State, slot: datetime, cause: str) -> None:
        if state.job.run(cause):
            self._slots.finish(state.job.name, slot)
        else:
            self._again(state)

    def _again(self, state: _State) -> float:
        """Try again later, unless the next slot comes first; in how many seconds."""
        minutes = RETRY_MINUTES[min(state.failures, len(RETRY_MINUTES) - 1)]
        wait = minutes * 60 + self._jitter * self._chance()
        state.failures += 1
        if not self._stopping.is_set():
            self._scheduler.add_job(
                self._guard,
                "date",
                run_date=datetime.now(UTC) + timedelta(seconds=wait),
                args=[self._make_up, state, state.job.cause, "retry"],
                id=f"retry:{state.job.name}",
                replace_existing=True,
            )
        return wait
