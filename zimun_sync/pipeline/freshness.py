"""Showing a sink's readers how fresh their data is, once after each pull."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event

from zimun_sync.errors import SinkError, StoreError
from zimun_sync.freshness import Freshness
from zimun_sync.model import from_micros
from zimun_sync.pipeline.isolate import as_bug
from zimun_sync.sinks import ShowsFreshness, Sink
from zimun_sync.store import Run, RunStatus, Store


def _told() -> Event:
    told = Event()
    told.set()
    return told


@dataclass(frozen=True, slots=True)
class FreshnessShow:
    """What one sink's readers know of the pulls.

    Nothing is known of what an earlier process showed, so the first show is due from the start:
    after a crash it makes up for what was not shown.

    Args:
        sink: may be one that shows no freshness.
        store: runs and records.
        sources: names of streams by source.
    """

    sink: Sink
    store: Store
    sources: Mapping[str, Sequence[str]]
    _due: Event = field(default_factory=_told)

    def pull_ended(self) -> None:
        """Have it shown again; from any thread."""
        self._due.set()

    def is_due(self) -> bool:
        """Whether a pull ended that the sink has not shown."""
        return self._due.is_set() and isinstance(self.sink, ShowsFreshness)

    def is_certain(self) -> bool:
        """Whether there will be something to show, however the pull that is under way ends."""
        return self.is_due() and any(
            self.store.runs.last_success(source, stream) is not None
            for source, streams in self.sources.items()
            for stream in streams
        )

    def show(self, opened: Callable[[], None]) -> None:
        """Show how everything stands; it stays due if that fails.

        Args:
            opened: makes sure that the sink is open; not called where there is nothing to show.

        Raises:
            SinkUnavailable: not now.
            SinkBroken: a person has to act.
            ConnectorBug: the connector failed in another way.
            StoreError: the state could not be read.
        """
        self._due.clear()  # before anything is read: a pull that ends meanwhile counts again
        try:
            rows = freshness_of(self.store, self.sources)
            # A first pull that fails, as with a wrong secret, leaves nothing half-made behind.
            succeeded = any(row.last_pull_at is not None for row in rows)
            if succeeded and isinstance(self.sink, ShowsFreshness):
                opened()
                _show(self.sink, rows)
        except BaseException:
            self._due.set()
            raise


def _show(sink: ShowsFreshness, rows: Sequence[Freshness]) -> None:
    try:
        sink.show_freshness(rows)
    except (SinkError, StoreError):
        raise
    except Exception as error:
        raise as_bug(error) from error


def freshness_of(store: Store, sources: Mapping[str, Sequence[str]]) -> list[Freshness]:
    """How fresh the streams are that were ever pulled.

    Args:
        store: runs and records.
        sources: names of streams by source, each source's in the order they are pulled.
    """
    return [row for name, streams in sources.items() for row in _of_source(store, name, streams)]


def _of_source(store: Store, source: str, streams: Sequence[str]) -> Iterator[Freshness]:
    shown_at = from_micros(store.now())
    ended: Run | None = None
    for stream in streams:
        run = store.runs.latest(source, stream)
        if run is None:
            continue
        if run.status == RunStatus.FAILED and not _is_later(ended, run):
            ended = run
        good = store.runs.last_success(source, stream)
        yield Freshness(
            source,
            stream,
            _instant(good.listing_requested_at if good else None),
            # A pull that ended on an earlier stream failed for those that it did not come to.
            RunStatus.FAILED if _is_later(ended, run) else str(run.status),
            _instant(store.overview.last_change_at(source, stream)),
            store.feed.count(source, stream),
            shown_at,
        )


def _is_later(run: Run | None, than: Run) -> bool:
    return run is not None and run.started_at > than.started_at


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
