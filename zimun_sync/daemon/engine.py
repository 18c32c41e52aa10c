"""Everything that one configuration sets to work: sources, sinks, their workers."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from threading import Event
from time import monotonic
from typing import Final

from zimun_sync.config import Config
from zimun_sync.cron import WallClock
from zimun_sync.daemon.hooks import Hooks
from zimun_sync.daemon.hooks.sinks import SinkProgress
from zimun_sync.daemon.listeners import Listeners
from zimun_sync.daemon.orders import Order, Reload
from zimun_sync.daemon.pulls import PARTIAL, SUCCEEDED, Pulls
from zimun_sync.daemon.schedule import Job, Schedule
from zimun_sync.daemon.steps import Fetch, apply, call, deliver, keep, let_go, once
from zimun_sync.daemon.workers import Worker, Workers
from zimun_sync.events import (
    DeletionsChecked,
    EventsApplied,
    EventsReceived,
    PageStored,
    PullFinished,
    PullStarted,
    RecordsFetched,
    Renormalized,
    TroubleBegan,
    TroubleEnded,
)
from zimun_sync.events import Event as Happened
from zimun_sync.pipeline.contact import (
    Surroundings,
    delivery_of,
    sink_lease,
    source_lease,
    try_new_sinks,
)
from zimun_sync.pipeline.deliver import Delivery
from zimun_sync.pipeline.inbox import Applying, Fetching
from zimun_sync.pipeline.keeper import Leases
from zimun_sync.pipeline.listings import EventSource, Interrupted
from zimun_sync.pipeline.offering import versions_of
from zimun_sync.pipeline.retries import Retrying
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.sinks import Sink
from zimun_sync.store import Lease, Store
from zimun_sync.wiring import build_sinks, source_job

#: A daemon that was away for longer pulls at once: webhooks may have been missed. Microseconds.
_AWAY: Final = 300_000_000
#: How long workers may take to end when not all of them could begin.
_GIVE_UP_SECONDS: Final = 10.0
#: Events after which sinks may have something to take.
_FEEDS: Final = (PageStored, EventsApplied, RecordsFetched, DeletionsChecked, Renormalized)
#: Events that call hooks.
_OCCASIONS: Final = (PullStarted, PullFinished, TroubleBegan, TroubleEnded)


class Engine:
    """The work of one configuration; made once, started once, stopped once.

    Args:
        config: what to do.
        store: open.
        listeners: told what happens, from any thread.
        failed: told what ended a worker that should never end.
        order: tells the daemon's main thread what to do.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        listeners: Listeners,
        failed: Callable[[BaseException], None],
        order: Callable[[Order], None],
    ) -> None:
        self.config = config
        self._store = store
        self._emit = listeners
        self._order = order
        self._stop = Event()
        self.workers = Workers(listeners, failed)
        schedule = config.schedule
        self._schedule = Schedule(
            store.slots, schedule.timezone, schedule.jitter, failed, emit=listeners
        )
        self._leases = Leases(store, _lease_names(config))
        self._stack = ExitStack()
        self.jobs: Mapping[str, SourceJob] = {}
        self.deliveries: Mapping[str, Delivery] = {}
        self.pulls = Pulls(store, {}, {}, listeners, self.is_stopping)

    def start(self, away_since: int | None) -> None:
        """Take the leases, try new sinks, and let the workers begin.

        Args:
            away_since: until when a daemon served this state before, microseconds UTC; None if
                that does not matter.

        Raises:
            LeaseHeld: another process works on a source or a sink; nothing was started.
            ConfigError: a new sink cannot be used; nothing was started.
        """
        for name in self.config.sources:
            self._store.add_source(name)
        self._leases.acquire()
        self._stack.callback(self._leases.release)
        try:
            sinks = build_sinks(self.config)
            try_new_sinks(sinks, self._surroundings())
            self._connect(sinks)
            self._set_to_work(away_since)
        except BaseException:
            self.ask_to_stop()
            self.join(monotonic() + _GIVE_UP_SECONDS)
            raise

    def _set_to_work(self, away_since: int | None) -> None:
        self.workers.start(Worker("leases", keep(self._leases)))
        self._start_hooks()
        self._start_sources()
        self._start_sinks()
        self._schedule.start(self._agenda(away_since))

    def _connect(self, sinks: Mapping[str, Sink]) -> None:
        self.jobs = {
            name: self._stack.enter_context(source_job(self.config, name, self._emit, self._stop))
            for name in self.config.sources
        }
        leases = {name: self._held(source_lease(name)) for name in self.jobs}
        self.pulls = Pulls(self._store, self.jobs, leases, self._emit, self.is_stopping)
        streams = {name: job.streams for name, job in self.jobs.items()}
        at = self._surroundings()
        self.deliveries = {
            name: delivery_of(name, sink, self._held(sink_lease(name)), streams, at)
            for name, sink in sinks.items()
        }

    def _surroundings(self) -> Surroundings:
        config = self.config
        return Surroundings(self._store, self._emit, self._stop, config.streams, config.guards)

    def _start_sources(self) -> None:
        for name, job in self.jobs.items():
            source = EventSource(name, job.rules, self._held(source_lease(name)))
            applying = Applying(source, self._store, self._emit)
            fetching = Fetching(source, job.listings, self._store, self._emit, self.is_stopping)
            paused = partial(self.is_paused, name)
            retrying = Retrying(source, self._store)
            self.workers.start(
                Worker(f"apply:{name}", apply(applying, retrying, paused)),
                Worker(f"fetch:{name}", Fetch(fetching, paused, self._emit)),
                Worker(f"rules:{name}", once(partial(self.pulls.renormalize, name))),
            )

        # What was begun for people who asked to be forgotten, before an earlier daemon ended.
        self.workers.start(Worker("forget", once(self._forget_what_is_left)))

    def _start_sinks(self) -> None:
        for name, delivery in self.deliveries.items():
            self.workers.start(Worker(f"sink:{name}", deliver(delivery), let_go(delivery)))

    def _start_hooks(self) -> None:
        streams = {name: job.streams for name, job in self.jobs.items()}
        progress = SinkProgress(self._store, streams, self.versions(), self.config.streams)
        hooks = Hooks(self.config.hooks, progress, self._store, self._emit)
        # Hooks first: who is woken by an event must find what it asks for.
        for listener in (hooks.listen, self._wake):
            self._emit.add(listener)
            self._stack.callback(self._emit.remove, listener)
        self.workers.start(Worker("hooks", call(hooks)))

    def ask_to_stop(self) -> None:
        """Let work under way come to an end: waits are cut short, pages are the last ones."""
        self._stop.set()
        self._schedule.stop()
        self.workers.ask_to_stop()

    def join(self, deadline: float) -> list[str]:
        """Wait until everything has ended, or until `deadline` (monotonic).

        Returns:
            Names of workers that still run. Their leases are not given back: only the end of
            the process makes sure that they write no more.
        """
        running = [f"pull:{name}" for name in self.pulls.running(deadline)]
        running += self.workers.join(deadline)
        if not running:
            self._stack.close()
        return running

    def _agenda(self, away_since: int | None) -> list[Job]:
        """What to do when: a pull a night, and now and then a listing of everything."""
        missed = away_since is not None and self._store.now() - away_since > _AWAY
        schedule = self.config.schedule
        jobs = []
        for name in self.jobs:
            pull = partial(self._pull, name, full=False)
            nightly = WallClock(schedule.nightly)
            jobs.append(Job(f"nightly:{name}", "nightly", nightly, pull, catch_up=missed))
            if schedule.reconcile is not None:
                full = partial(self._pull, name, full=True)
                weekly = WallClock(schedule.reconcile)
                jobs.append(Job(f"reconcile:{name}", "reconcile", weekly, full, at_first=False))
        return jobs

    def _pull(self, name: str, cause: str, *, full: bool) -> bool:
        """Pull a source when its time has come; tells whether that is done with."""
        if self.is_paused(name):
            return True
        pulled = self.pulls.pull(name, cause, full=full)
        if pulled.refused:
            self._order(Reload(only_secrets=True))  # they may have been rotated
        return pulled.status in {SUCCEEDED, PARTIAL}

    def clocks_ahead(self) -> dict[str, float]:
        """Seconds that each source's clock is ahead of ours."""
        return {name: job.clock_ahead() for name, job in self.jobs.items()}

    def versions(self) -> dict[str, str]:
        """What stands for each sink's own settings."""
        sinks = {name: each.sink for name, each in self.deliveries.items()}
        return versions_of(sinks, self.config.guards)

    def forget(self) -> None:
        """Forget whom somebody asked to forget: in the state now, in sinks as they come to it.

        Raises:
            Interrupted: the daemon is about to end; the next one goes on.
            StoreError: the state could not be read or written.
        """
        if self.pulls.forget():
            for delivery in self.deliveries.values():
                delivery.people_forgotten()
            self.workers.wake("sink:")

    def _forget_what_is_left(self) -> None:
        with suppress(Interrupted):  # the next daemon goes on
            self.forget()

    def pull_ended(self) -> None:
        """Have every sink show how fresh it is."""
        for delivery in self.deliveries.values():
            delivery.pull_ended()
        self.workers.wake("sink:")

    def is_stopping(self) -> bool:
        """Whether work under way should come to an end."""
        return self._stop.is_set()

    def is_paused(self, source: str) -> bool:
        """Whether a person paused the source."""
        return source in self._store.pauses.all()

    def _held(self, name: str) -> Lease:
        return self._leases.held[name]

    def _wake(self, event: Happened) -> None:
        """Let those work at once who have something to do now."""
        if isinstance(event, EventsReceived):
            self.workers.wake(f"apply:{event.source}")
        if isinstance(event, EventsApplied) and event.thin:
            self.workers.wake(f"fetch:{event.source}")
        if isinstance(event, PullFinished):
            self.pull_ended()
        if isinstance(event, _FEEDS):
            self.workers.wake("sink:")
        if isinstance(event, _OCCASIONS):
            self.workers.wake("hooks")


def _lease_names(config: Config) -> list[str]:
    sources = [source_lease(name) for name in config.sources]
    return sources + [sink_lease(name) for name in config.sinks]
