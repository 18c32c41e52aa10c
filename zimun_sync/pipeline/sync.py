"""One sync, from top to bottom: read this first.

Every source's streams are listed page by page into the store, each page together with its
checkpoint. Meanwhile every sink reads the store's change feed at its own pace. When the
listings are done the sinks are waited for, as long as they make progress.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from zimun_sync.errors import LeaseLost, StoreError
from zimun_sync.events import Emit, StateUnavailable
from zimun_sync.model import STREAMS, Stream
from zimun_sync.normalize import Rules
from zimun_sync.pipeline.ahead import on_threads
from zimun_sync.pipeline.contact import (
    Surroundings,
    delivery_of,
    sink_lease,
    source_lease,
    try_new_sinks,
)
from zimun_sync.pipeline.deliver import Delivery
from zimun_sync.pipeline.forgetting import forget_in_state
from zimun_sync.pipeline.keeper import LeaseKeeper
from zimun_sync.pipeline.listings import EventSource, Interrupted
from zimun_sync.pipeline.loops import Loops
from zimun_sync.pipeline.pull import Extent
from zimun_sync.pipeline.report import SyncReport, sink_report
from zimun_sync.pipeline.sources import SourceJob, SourcePull
from zimun_sync.privacy import Guard
from zimun_sync.sinks import Sink
from zimun_sync.store import Run, Store


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """How to sync.

    Args:
        full: list from the first page, whatever is unfinished.
        patience: seconds a sink may go without progress before it is left behind.
        stop: set to end early; what is stored stays.
    """

    full: bool = False
    patience: float = 60.0
    stop: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True)
class Sync:
    """Brings the store up to the sources, and every sink up to the store.

    Args:
        store: open.
        sources: what to pull.
        sinks: by name, not yet open.
        emit: told what happens, from any thread.
        options: how to sync.
        streams: every stream by name, with the columns that the configuration promotes.
        guards: what hides from each sink what its policies say, by name.
        others: the words on fields of configured sources that are not pulled.
    """

    store: Store
    sources: Sequence[SourceJob]
    sinks: Mapping[str, Sink]
    emit: Emit
    options: SyncOptions
    streams: Mapping[str, Stream] = field(default_factory=lambda: STREAMS)
    guards: Mapping[str, Guard] = field(default_factory=dict)
    others: Mapping[str, Rules] = field(default_factory=dict)

    def run(self) -> SyncReport:
        """Sync once.

        Raises:
            ConfigError: a sink that was never delivered to cannot be used; nothing was pulled.
            LeaseHeld: another process works on one of the sources or sinks.
            LeaseLost: another process took over meanwhile.
            StoreError: the state could not be read or written.
        """
        for job in self.sources:
            self.store.add_source(job.name)
        with LeaseKeeper(self.store, self._lease_names(), self.options.stop) as keeper:
            try_new_sinks(self.sinks, self._surroundings)
            deliveries = self._deliveries(keeper)
            self._forget(keeper)
            runs: list[Run] = []
            with Loops(deliveries, self.options.stop, self.options.patience):
                interrupted = self._pull_into(runs, keeper)
        return self._report(runs, deliveries, interrupted=interrupted)

    def _forget(self, keeper: LeaseKeeper) -> None:
        """Finish what was begun for people who asked to be forgotten; a later sync may have to."""
        if not self.store.forgettings.unfinished():
            return
        known = self.store.feed.heads().keys()
        others = {name: each for name, each in self.others.items() if name in known}
        rules = {job.name: job.rules for job in self.sources} | others
        names = [source_lease(name) for name in others]
        try:
            with LeaseKeeper(self.store, names, self.options.stop) as further:
                held = keeper.held | further.held
                sources = [
                    EventSource(name, each, held[source_lease(name)])
                    for name, each in rules.items()
                ]
                forget_in_state(self.store, sources, self.emit)
        except LeaseLost:
            raise
        except (
            StoreError
        ) as error:  # who reads the state, or works on it, keeps nobody from syncing
            self.emit(StateUnavailable("forget", 0.0, error.message))

    def _pull_into(self, runs: list[Run], keeper: LeaseKeeper) -> bool:
        """Pull source after source; tells whether it was interrupted."""
        try:
            for job in self.sources:
                runs.extend(self._pull(job, keeper))
        except Interrupted:
            return True
        return self.options.stop.is_set()

    def _pull(self, job: SourceJob, keeper: LeaseKeeper) -> Iterator[Run]:
        lease = keeper.held[source_lease(job.name)]
        stopping = self.options.stop.is_set
        pull = SourcePull(job, self.store, lease, on_threads, self.emit, stopping)
        return pull.runs(Extent.ANEW if self.options.full else Extent.USUAL)

    def _report(
        self, runs: Sequence[Run], deliveries: Sequence[Delivery], *, interrupted: bool
    ) -> SyncReport:
        names = [job.name for job in self.sources]
        return SyncReport(
            runs=tuple(runs),
            sinks={each.name: sink_report(self.store, each) for each in deliveries},
            in_quarantine=self.store.quarantine.count_open(names, list(self.sinks)),
            interrupted=interrupted,
        )

    def _lease_names(self) -> list[str]:
        sources = [source_lease(job.name) for job in self.sources]
        return sources + [sink_lease(name) for name in self.sinks]

    def _deliveries(self, keeper: LeaseKeeper) -> list[Delivery]:
        streams = {job.name: job.streams for job in self.sources}
        at = self._surroundings
        return [
            delivery_of(name, sink, keeper.held[sink_lease(name)], streams, at)
            for name, sink in self.sinks.items()
        ]

    @property
    def _surroundings(self) -> Surroundings:
        return Surroundings(self.store, self.emit, self.options.stop, self.streams, self.guards)
