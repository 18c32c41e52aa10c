"""Pulling sources in the daemon: one pull of a source at a time, whatever asks for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Final

from zimun_sync.errors import ConfigError, LeaseLost, StoreError
from zimun_sync.events import Emit, PullFinished, PullStarted
from zimun_sync.pipeline.ahead import on_threads
from zimun_sync.pipeline.approving import confirm
from zimun_sync.pipeline.forgetting import finish, forget_in_former, forget_in_source
from zimun_sync.pipeline.listings import EventSource, Interrupted, Stopping
from zimun_sync.pipeline.pull import Extent
from zimun_sync.pipeline.sources import SourceJob, SourcePull
from zimun_sync.store import Lease, Run, RunStatus, Store

SUCCEEDED: Final = "succeeded"
PARTIAL: Final = "partial"
FAILED: Final = "failed"
INTERRUPTED: Final = "interrupted"

#: Causes of pulls that were begun before and did not end, or never began.
_MADE_UP: Final = frozenset({"start", "retry"})


@dataclass(frozen=True, slots=True)
class Pulled:
    """How a pull ended.

    Args:
        status: succeeded, partial (a run needs attention), failed or interrupted.
        runs: one a stream, as far as it came.
        reason: why it did not simply succeed.
        hint: what to do about it.
    """

    status: str
    runs: tuple[Run, ...]
    reason: str = ""
    hint: str = ""

    @property
    def refused(self) -> bool:
        """Whether the source's credentials were not accepted."""
        return any(run.failure == "AuthenticationFailed" for run in self.runs)


@dataclass(slots=True)
class Pulls:
    """Pulls sources on the caller's thread.

    Args:
        store: where records go.
        jobs: the sources by name.
        leases: the right to write for each source, by its name.
        emit: told what happens.
        stopping: asked between pages.
    """

    store: Store
    jobs: Mapping[str, SourceJob]
    leases: Mapping[str, Lease]
    emit: Emit
    stopping: Stopping
    _locks: dict[str, Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._locks = {name: Lock() for name in self.jobs}

    def pull(self, name: str, cause: str, *, full: bool = False) -> Pulled:
        """Pull a source once; waits while it is being pulled already.

        Args:
            name: the source's name.
            cause: why: nightly, reconcile, start, request or retry.
            full: list everything, not only what changed: from the first page, or where the
                listing stopped that is made up for.

        Raises:
            LeaseLost: another process took over.
        """
        with self._locks[name]:
            if self.stopping():
                return Pulled(INTERRUPTED, ())
            began = monotonic()
            self.emit(PullStarted(name, cause))
            pulled = self._pull(name, _extent(cause, full=full))
            self._tell(name, cause, pulled, monotonic() - began)
        return pulled

    def renormalize(self, name: str) -> None:
        """Bring what is stored of a source up to date with the configuration's rules.

        A pull that is under way does that itself.

        Raises:
            LeaseLost: another process took over.
            StoreError: the state could not be written.
        """
        lock = self._locks[name]
        if not lock.acquire(blocking=False):
            return
        try:
            self._source_pull(name).renormalize()
        finally:
            lock.release()

    def forget(self) -> bool:
        """Leave nothing in the state about people who asked to be forgotten.

        A source that is being pulled is waited for; the others are not held up.

        Returns:
            Whether there was anything to do.

        Raises:
            LeaseHeld: another process works on a source that is not configured here.
            LeaseLost: another process took over.
            StoreError: the state could not be read or written.
        """
        unfinished = self.store.forgettings.unfinished()
        if not unfinished:
            return False
        for name, job in self.jobs.items():
            source = EventSource(name, job.rules, self.leases[name])
            with self._locks[name]:
                if self.stopping():
                    raise Interrupted
                forget_in_source(self.store, source, self.emit)
        forget_in_former(self.store, self.jobs.keys(), self.emit)
        finish(self.store, unfinished)
        return True

    def running(self, deadline: float) -> list[str]:
        """Wait for pulls to end until `deadline` (monotonic); sources that are still pulled."""
        running = []
        for name, lock in self._locks.items():
            if lock.acquire(timeout=max(deadline - monotonic(), 0)):
                lock.release()  # who waits for it is turned away: this is the end
            else:
                running.append(name)
        return running

    def confirm(self, run_id: str) -> Run:
        """Bury what a run found missing and a person approved; see `pipeline.approving`.

        Raises:
            ConfigError: the run is of a source that is no longer configured.
            ListingDoubtful: no listed record answers by id, or asking is refused.
            LeaseLost: another process took over.
        """
        name = self.store.runs.get(run_id).source
        if name not in self.jobs:
            raise ConfigError(f"Source {name!r} of run {run_id} is not configured any more.")
        with self._locks[name]:
            if self.stopping():
                raise Interrupted
            return confirm(
                self.store, self.jobs[name], self.leases[name], run_id, self.emit, self.stopping
            )

    def _pull(self, name: str, extent: Extent) -> Pulled:
        runs: list[Run] = []
        try:
            runs.extend(self._source_pull(name).runs(extent))
        except Interrupted:
            return Pulled(INTERRUPTED, tuple(runs))
        except LeaseLost:
            raise
        except StoreError as error:
            return Pulled(FAILED, tuple(runs), error.message, error.hint)
        return _ended(runs)

    def _source_pull(self, name: str) -> SourcePull:
        lease = self.leases[name]
        return SourcePull(self.jobs[name], self.store, lease, on_threads, self.emit, self.stopping)

    def _tell(self, name: str, cause: str, pulled: Pulled, seconds: float) -> None:
        records = sum(run.records for run in pulled.runs)
        changed = sum(run.changed for run in pulled.runs)
        self.emit(
            PullFinished(
                name,
                cause,
                pulled.status,
                records,
                changed,
                round(seconds, 3),
                pulled.reason,
                pulled.hint,
            )
        )


def _extent(cause: str, *, full: bool) -> Extent:
    if not full:
        return Extent.USUAL
    return Extent.EVERYTHING if cause in _MADE_UP else Extent.ANEW


def _ended(runs: Sequence[Run]) -> Pulled:
    """How a pull that came to its end went: its worst run counts."""
    for status, bad in ((FAILED, RunStatus.FAILED), (PARTIAL, RunStatus.NEEDS_ATTENTION)):
        for run in runs:
            if run.status == bad:
                return Pulled(status, tuple(runs), run.error or "", run.hint or "")
    return Pulled(SUCCEEDED, tuple(runs))
