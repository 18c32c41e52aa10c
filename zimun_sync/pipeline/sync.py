"""One sync, from top to bottom: read this first.

Every source's streams are listed page by page into the store, each page together with its
checkpoint. Meanwhile every sink reads the store's change feed at its own pace. When the
listings are done the sinks are waited for, as long as they make progress.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

from zimun_sync.errors import ConfigError, SinkBroken, SinkUnavailable
from zimun_sync.events import Emit
from zimun_sync.pipeline.ahead import on_threads
from zimun_sync.pipeline.deliver import Delivery, streams_in_order
from zimun_sync.pipeline.listings import Interrupted
from zimun_sync.pipeline.loops import LeaseKeeper, Loops
from zimun_sync.pipeline.report import SyncReport, sink_report
from zimun_sync.pipeline.sources import SourceJob, SourcePull
from zimun_sync.sinks import Checks, Sink, SinkContext
from zimun_sync.store import ParkKind, Run, Store
from zimun_sync.store.clock import utc_now


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
    """

    store: Store
    sources: Sequence[SourceJob]
    sinks: Mapping[str, Sink]
    emit: Emit
    options: SyncOptions

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
            self._try_new_sinks()
            deliveries = [self._delivery(name, keeper) for name in self.sinks]
            runs: list[Run] = []
            with Loops(deliveries, self.options.stop, self.options.patience):
                interrupted = self._pull_into(runs, keeper)
        return self._report(runs, deliveries, interrupted=interrupted)

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
        return pull.runs(fresh=self.options.full)

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

    def _try_new_sinks(self) -> None:
        """A sink that fails on first contact is a mistake of the configuration: say so now."""
        for name, sink in self.sinks.items():
            if not self.store.deliveries.known(name):
                first_contact(name, sink, sink_context(self.store, name, self.options.stop))

    def _delivery(self, name: str, keeper: LeaseKeeper) -> Delivery:
        parked = self.store.deliveries.parked().get(name)
        if parked is not None and parked.kind is ParkKind.BROKEN:
            self.store.deliveries.unpark(name)  # someone may have mended it: try again
            parked = None
        return Delivery(
            name=name,
            sink=self.sinks[name],
            store=self.store,
            lease=keeper.held[sink_lease(name)],
            sources={job.name: streams_in_order(job.streams) for job in self.sources},
            context=lambda: sink_context(self.store, name, self.options.stop),
            emit=self.emit,
            jitter=random.random,
            parked=parked is not None,
        )


def first_contact(name: str, sink: Sink, context: SinkContext) -> None:
    """Try a sink without changing it, where its connector can do that.

    Raises:
        ConfigError: it needs a person.
    """
    if not isinstance(sink, Checks):
        return
    try:
        sink.check(context)
    except SinkUnavailable:
        return  # not now is no mistake: its delivery waits for it
    except SinkBroken as error:
        raise ConfigError(f"sinks.{name}: {error.message}", hint=error.hint) from error


def sink_context(
    store: Store, name: str, stop: Event | None = None, *, adopting: bool = False
) -> SinkContext:
    """What the engine opens a sink with."""
    return SinkContext(
        name=name,
        store_id=store.store_id,
        heads=store.feed.heads(),
        now=utc_now,
        stop=stop or Event(),
        adopting=adopting,
    )


def source_lease(name: str) -> str:
    """The lease under which a source's pages are committed."""
    return f"source:{name}"


def sink_lease(name: str) -> str:
    """The lease under which a sink's offsets are committed."""
    return f"sink:{name}"
