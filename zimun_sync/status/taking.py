"""Taking a snapshot: everything is read from the state and the configuration."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final, NamedTuple

from zimun_sync.config import Config
from zimun_sync.model import STREAMS, Stream, delivered, from_micros
from zimun_sync.pipeline.offering import fingerprint_of
from zimun_sync.status.schedule import next_runs
from zimun_sync.status.snapshot import SinkStatus, Snapshot, SourceStatus, StreamStatus
from zimun_sync.store import SOURCE_SIDE, Backlog, Lag, Place, Run, RunStatus, Store

#: The lease that a daemon holds for as long as it serves a state.
DAEMON_LEASE: Final = "daemon"
#: A hook whose call was given up counts as trouble for so long.
HOOK_SECONDS: Final = 86_400.0
#: A count of records serves the metrics for so long, although there were changes.
COUNT_SECONDS: Final = 60.0

#: How many records a stream of a source holds.
Count = Callable[[str, str], int]


class RememberedCounts:
    """Counts a stream's records again only when its source changed, and not too often.

    Counting a million of them takes most of a second, and the metrics are asked for every few.

    Args:
        store: counts them, and knows each source's last change.
        seconds: how long a count serves although there were changes.
        clock: seconds that only grow.
    """

    def __init__(
        self, store: Store, seconds: float = COUNT_SECONDS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._clock = clock
        self._known: dict[tuple[str, str], _Counted] = {}

    def __call__(self, source: str, stream: str) -> int:
        """The count: exact while nothing changes, else at most that old."""
        head = self._store.feed.heads().get(source, 0)
        known = self._known.get((source, stream))
        if known is None or (known.head != head and self._clock() >= known.until):
            records = self._store.feed.count(source, stream)
            known = _Counted(records, head, self._clock() + self._seconds)
            self._known[source, stream] = known
        return known.records


class _Counted(NamedTuple):
    """How many records there were when a source's last change was `head`."""

    records: int
    head: int
    until: float


def take(
    store: Store,
    config: Config,
    *,
    count: Count | None = None,
    skews: Mapping[str, float] | None = None,
    versions: Mapping[str, str] | None = None,
) -> Snapshot:
    """How everything stands now.

    Args:
        store: the state; nothing is written.
        config: names what is looked at; the state may know of more.
        count: counts a stream's records; by default the state is asked each time.
        skews: by source, how many seconds its clock is ahead of ours.
        versions: by sink, what stands for its own settings; see `version_of`.

    Raises:
        StoreError: the state could not be read.
    """
    now = store.now()
    sources = _Sources(store, count or store.feed.count, skews or {})
    sides = {SOURCE_SIDE, *config.sinks}
    hooks = store.overview.given_up(HOOK_SECONDS)
    return Snapshot(
        taken_at=now,
        sources=sources.statuses(config),
        sinks=_Sinks(store, versions or {}, config.streams).statuses(config),
        quarantine=tuple(
            each
            for each in store.overview.quarantined()
            if each.source in config.sources and each.sink in sides
        ),
        hooks_given_up=tuple(each for each in hooks if each.hook in config.hooks),
        daemon=store.leases.holder(DAEMON_LEASE),
        schedule=next_runs(config.schedule, from_micros(now)),
        room=store.overview.room(),
        owed=store.forgettings.owed(),
    )


class _Sources:
    """Reads sources, with what is read once for all of them."""

    def __init__(self, store: Store, count: Count, skews: Mapping[str, float]) -> None:
        self._store = store
        self._count = count
        self._skews = skews
        self._paused = store.pauses.all()

    def statuses(self, config: Config) -> dict[str, SourceStatus]:
        backlogs = self._store.overview.backlogs(list(config.sources))
        return {
            name: self._source(name, tuple(settings.streams), backlogs.get(name))
            for name, settings in config.sources.items()
        }

    def _source(self, name: str, streams: tuple[str, ...], backlog: Backlog | None) -> SourceStatus:
        waiting = self._store.overview.needing_attention(name)
        return SourceStatus(
            organization=self._store.organization(name),
            paused_since=self._paused.get(name),
            streams={each: self._stream(name, each) for each in STREAMS if each in streams},
            needs_attention=tuple(run for run in waiting if run.stream in streams),
            backlog=backlog,
            skew_seconds=self._skews.get(name),
        )

    def _stream(self, source: str, stream: str) -> StreamStatus:
        last = self._store.runs.latest(source, stream)
        good = self._store.runs.last_success(source, stream)
        return StreamStatus(
            records=self._count(source, stream),
            last_run=last,
            good_at=_finished(last if last and last.status == RunStatus.NOT_OFFERED else good),
            first_run_at=self._store.overview.first_run_at(source, stream),
            last_success=_finished(good),
        )


def _finished(run: Run | None) -> int | None:
    return None if run is None else run.finished_at


class _Sinks:
    """Reads sinks, with what is read once for all of them."""

    def __init__(
        self, store: Store, versions: Mapping[str, str], streams: Mapping[str, Stream]
    ) -> None:
        self._store = store
        self._versions = versions
        self._streams = streams
        self._parked = store.deliveries.parked()

    def statuses(self, config: Config) -> dict[str, SinkStatus]:
        return {name: self._sink(config, name) for name in config.sinks}

    def _sink(self, config: Config, name: str) -> SinkStatus:
        lags = [
            self._lag(Place(name, source, stream))
            for source, settings in config.sources.items()
            for stream in delivered(settings.streams)
        ]
        return SinkStatus(
            type=config.sinks[name].connector.name,
            lag_changes=sum(lag.changes for lag in lags),
            lag_since=min((lag.oldest for lag in lags if lag.oldest is not None), default=None),
            parked=self._parked.get(name),
            notices=tuple(self._store.notices.of(name)),
        )

    def _lag(self, place: Place) -> Lag:
        version = self._versions.get(place.sink, "")
        fingerprint = fingerprint_of(self._streams[place.stream], version)
        offset = self._store.deliveries.offset(place, fingerprint)
        return self._store.overview.lag(place.source, place.stream, offset)
