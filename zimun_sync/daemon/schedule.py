"""The schedule: one run a slot, whatever daylight saving, restarts and sleep do to the clock.

APScheduler waits and calls. Which slot a call is for, and whether it was run before, is told by
the store: there a slot is taken once.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from zimun_sync.cron import WallClock, instant, slot_after
from zimun_sync.store.slots import Slots

#: Minutes after a failed run until it is tried again; the last one repeats.
RETRY_MINUTES: Final = (5, 15, 30, 60)
#: A machine that slept wakes up late: waiting does not count the time asleep.
_TICK_SECONDS: Final = 60
_LOOK_BACK: Final = timedelta(days=2)
_AT_ONCE: Final = 20


class Run(Protocol):
    """The work of a job."""

    def __call__(self, cause: str) -> bool:
        """Do it.

        Args:
            cause: `nightly` or the job's own cause, `start` for what was missed, `retry`.

        Returns:
            Whether it came to a good end; else it is tried again.
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
        at_first: whether it runs at once when it never did before.
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
    """A job at work."""

    job: Job
    lock: Lock = field(default_factory=Lock)
    failures: int = 0


class SlotTrigger(BaseTrigger):  # type: ignore[misc] # the library has no types
    """Fires for each slot once, as late as jitter wants.

    Args:
        clock: the slots.
        zone: where the clock hangs.
        jitter: most seconds to fire late, by chance; never past half the way to the next slot.
        chance: a number from 0 to 1.
    """

    def __init__(
        self, clock: WallClock, zone: ZoneInfo, jitter: float, chance: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._jitter = jitter
        self._chance = chance

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first slot after the previous one, or after now; the name is APScheduler's."""
        after = (previous_fire_time or now).astimezone(UTC)
        slot = slot_after(self._clock, self._zone, after)
        at = instant(slot, self._zone)
        room = (instant(self._clock.next_after(slot), self._zone) - at).total_seconds() / 2
        return at + timedelta(seconds=min(self._jitter, max(room, 0)) * self._chance())


class Schedule:
    """Runs jobs at their slots, and those that were missed at once.

    Args:
        slots: which slots are taken.
        zone: IANA time zone of the slots.
        jitter: most seconds to start late.
        failed: told what a job raised; it counts as a failed run.
        chance: a number from 0 to 1.
    """

    def __init__(
        self,
        slots: Slots,
        zone: str,
        jitter: float,
        failed: Callable[[BaseException], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._slots = slots
        self._zone = ZoneInfo(zone)
        self._jitter = jitter
        self._failed = failed
        self._chance = chance
        self._states: dict[str, _State] = {}
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_AT_ONCE)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self, jobs: Iterable[Job]) -> None:
        """Begin: what was missed, or ended in the middle, runs at once, each job once."""
        for job in jobs:
            self._states[job.name] = _State(job)
            trigger = SlotTrigger(job.clock, self._zone, self._jitter, self._chance)
            self._scheduler.add_job(self._come, trigger, args=[job.name, job.cause], id=job.name)
            if self._is_missed(job):
                self._scheduler.add_job(self._catch_up, args=[job.name], id=f"start:{job.name}")
        self._scheduler.add_job(
            lambda: None, "interval", seconds=_TICK_SECONDS, id="tick", executor="default"
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
        self._scheduler.shutdown(wait=False)

    # -- runs ----------------------------------------------------------------------------

    def _is_missed(self, job: Job) -> bool:
        latest = self._slots.latest(job.name)
        if latest is None:
            return job.at_first
        return job.catch_up or not latest.finished or self._latest_due(job) is not None

    def _come(self, name: str, cause: str) -> None:
        """A slot has come."""
        state = self._states[name]
        with state.lock:
            # A slot that comes while another is run is made up for by one more run. None is due
            # where the clock was set back, or the slot was run to catch up.
            while (slot := self._latest_due(state.job)) and self._slots.take(name, slot):
                state.failures = 0
                self._run(state, slot, cause)

    def _catch_up(self, name: str) -> None:
        """Run what was missed, or what a process that ended left in the middle."""
        state = self._states[name]
        with state.lock:
            slot = self._latest_due(state.job)
            if slot is not None:
                self._slots.take(name, slot)
            latest = self._slots.latest(name)
            if latest is not None and (state.job.catch_up or not latest.finished):
                self._run(state, latest.at, "start")

    def _retry(self, name: str, slot: datetime) -> None:
        state = self._states[name]
        with state.lock:
            latest = self._slots.latest(name)
            if latest is not None and latest.at == slot and not latest.finished:
                self._run(state, slot, "retry")

    def _run(self, state: _State, slot: datetime, cause: str) -> None:
        try:
            good = state.job.run(cause)
        except BaseException as error:  # noqa: BLE001 - told to whoever runs the schedule
            self._failed(error)
            return
        if good:
            self._slots.finish(state.job.name, slot)
        elif self._scheduler.running:
            self._again(state, slot)

    def _again(self, state: _State, slot: datetime) -> None:
        minutes = RETRY_MINUTES[min(state.failures, len(RETRY_MINUTES) - 1)]
        state.failures += 1
        name = state.job.name
        self._scheduler.add_job(
            self._retry,
            "date",
            run_date=datetime.now(UTC) + timedelta(minutes=minutes),
            args=[name, slot],
            id=f"retry:{name}",
            replace_existing=True,
        )

    def _latest_due(self, job: Job) -> datetime | None:
        """The latest slot that has come and was not taken; with none taken ever, the last one."""
        now = datetime.now(UTC)
        taken = self._slots.latest(job.name)
        after = self._wall(now - _LOOK_BACK)
        if taken is not None and taken.at > after:
            after = taken.at
        found = self._last_between(job.clock, after, now)
        if found is None and taken is not None and taken.at < after:
            found = self._last_between(job.clock, taken.at, now)
        if found is None and taken is None:
            return self._wall(now).replace(second=0, microsecond=0)
        return found

    def _last_between(self, clock: WallClock, after: datetime, now: datetime) -> datetime | None:
        found, slot = None, clock.next_after(after)
        while instant(slot, self._zone) <= now:
            found, slot = slot, clock.next_after(slot)
        return found

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None)
