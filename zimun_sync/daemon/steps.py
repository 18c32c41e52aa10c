"""What the daemon's workers do: steps of the pipeline, and how long to wait between them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic, thread_time
from typing import Final

from zimun_sync.daemon.hooks import Hooks
from zimun_sync.daemon.workers import AT_ONCE, Pause, Step
from zimun_sync.errors import LeaseLost, SinkError, SourceError, SourceUnavailable
from zimun_sync.events import ConnectorFailed, Emit, FetchingDelayed
from zimun_sync.pipeline.deliver import Delivery, Progress
from zimun_sync.pipeline.inbox import Applying, Fetching
from zimun_sync.pipeline.isolate import as_bug
from zimun_sync.pipeline.keeper import Leases
from zimun_sync.pipeline.retries import Retrying
from zimun_sync.store import LEASE_SECONDS

#: How often a worker looks by itself whether there is anything to do, seconds.
LOOK_SECONDS: Final = 2.0
#: How long changes may gather before a sink gets the next batch, seconds.
GATHER_SECONDS: Final = 0.25
#: And how long at least, in times of the processor time that the last batch took.
_GATHER_SHARE: Final = 3.0
_GATHER_MOST: Final = 5.0
#: As long as a wait may take that nothing is expected to end.
_NEVER_SECONDS: Final = 86_400.0
#: How long a hook's call may be due before it is noticed, seconds, if nobody wakes the worker.
_HOOK_SECONDS: Final = 10.0
#: Seconds between tries to fetch records while the API cannot be asked.
_BACKOFF: Final = (1.0, 2.0, 5.0, 15.0, 60.0)


def deliver(delivery: Delivery) -> Step:
    """Delivering to one sink, as soon as there is anything to deliver."""

    def step() -> Pause:
        began, worked = monotonic(), thread_time()
        match delivery.step(more=False):
            case Progress.WAITING:
                return Pause(delivery.wait, wakeable=False)
            case Progress.DELIVERED:
                if delivery.behind:
                    return AT_ONCE
                return Pause(_gather(monotonic() - began, thread_time() - worked), wakeable=False)
            case _:
                return Pause(LOOK_SECONDS)

    return step


def _gather(took: float, worked: float) -> float:
    """How long changes may gather after a batch, seconds.

    What a batch costs may grow with the sink, and many small ones must not fill a core. Where it
    only took long, as beside busy readers or in a remote system, half of the time is enough.
    """
    return min(max(GATHER_SECONDS, took, _GATHER_SHARE * worked), _GATHER_MOST)


def let_go(delivery: Delivery) -> Callable[[], None]:
    """Closing a sink; one that cannot be closed is parked."""

    def finish() -> None:
        try:
            _close(delivery)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - a connector may raise anything
            # Whatever it owes its readers is made up for: the store knows it was left open.
            bug = as_bug(error)
            delivery.emit(ConnectorFailed(delivery.name, bug.error, bug.where))

    return finish


def _close(delivery: Delivery) -> None:
    try:
        delivery.close()
    except SinkError as error:
        delivery.give_up(error)


def apply(applying: Applying, retrying: Retrying, paused: Callable[[], bool]) -> Step:
    """Letting events into the change feed, and what someone took out of quarantine."""

    def step() -> Pause:
        if paused():
            return Pause(LOOK_SECONDS)
        worked = applying.step() or retrying.step()
        return AT_ONCE if worked else Pause(LOOK_SECONDS)

    return step


@dataclass(slots=True)
class Fetch:
    """Fetching what thin events name, at the API's pace.

    Args:
        fetching: of one source.
        paused: whether a person paused the source.
        emit: told when the API cannot be asked.
    """

    fetching: Fetching
    paused: Callable[[], bool]
    emit: Emit
    _failures: int = field(default=0)

    def __call__(self) -> Pause:
        """Fetch some records."""
        if self.paused():
            return Pause(LOOK_SECONDS)
        try:
            worked = self.fetching.step()
        except SourceError as error:
            return self._later(error)
        self._failures = 0
        return AT_ONCE if worked else Pause(LOOK_SECONDS)

    def _later(self, error: SourceError) -> Pause:
        wait = _BACKOFF[min(self._failures, len(_BACKOFF) - 1)]
        self._failures += 1
        if isinstance(error, SourceUnavailable) and error.retry_after is not None:
            wait = error.retry_after
        self.emit(FetchingDelayed(self.fetching.source.name, wait, error.message))
        return Pause(wait, wakeable=False)


def keep(leases: Leases) -> Step:
    """Renewing leases well before they run out."""

    def step() -> Pause:
        leases.renew()
        return Pause(LEASE_SECONDS / 3)

    return step


def call(hooks: Hooks) -> Step:
    """Making the calls of hooks that are due."""

    def step() -> Pause:
        wait = hooks.step()
        return Pause(LOOK_SECONDS if wait is None else min(wait, _HOOK_SECONDS))

    return step


def once(work: Callable[[], None]) -> Step:
    """Doing something at the beginning, again only if the state could not take it."""
    todo = [work]

    def step() -> Pause:
        for each in todo:
            each()
        todo.clear()
        return Pause(_NEVER_SECONDS)

    return step


def every(seconds: float, work: Callable[[], None]) -> Step:
    """Doing something again and again."""

    def step() -> Pause:
        work()
        return Pause(seconds)

    return step
