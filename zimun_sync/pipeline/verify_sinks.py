"""Comparing sinks with the store: those at hand, and those that another thread delivers to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from msgspec import Struct

from zimun_sync.errors import LeaseHeld, SinkBroken, SinkError, ZimunSyncError
from zimun_sync.model import Stream, delivered
from zimun_sync.pipeline.contact import sink_context, sink_lease
from zimun_sync.pipeline.findings import Compared, SinkState
from zimun_sync.pipeline.isolate import ConnectorBug, as_bug
from zimun_sync.pipeline.keeper import LeaseKeeper
from zimun_sync.pipeline.listings import Interrupted, Stopping
from zimun_sync.pipeline.offering import fingerprint_of, version_of
from zimun_sync.pipeline.verify_sink import SinkComparison
from zimun_sync.privacy import Guard
from zimun_sync.sinks import NeedsActivation, ReadsBack, Sink
from zimun_sync.store import Place, Store

T = TypeVar("T")

#: Has a comparison made with a sink that is open and that nobody writes to meanwhile.
Lend = Callable[[Callable[[Sink], Compared]], Compared]

_REMOTE = "a remote system: `zimun-sync sync --dry-run --sink {name}` compares it field by field"
_BLIND = "its connector cannot read back what it wrote"
_NEW = "everything is yet to be delivered to it"


class SinkInQuestion(Struct, frozen=True):
    """A sink that is to be compared.

    Args:
        name: the sink's name.
        sink: it; only used by the one who lends it.
        streams: names of the streams that each source pulls.
        columns: every stream by name, with the columns that the configuration promotes.
        guard: hides from the sink what its policies say.
    """

    name: str
    sink: Sink
    streams: Mapping[str, Sequence[str]]
    columns: Mapping[str, Stream]
    guard: Guard

    def places(self) -> Iterator[tuple[Place, Stream]]:
        """Every stream of every source that it is given."""
        for source, names in self.streams.items():
            for name in delivered(names):
                yield Place(self.name, source, name), self.columns[name]


def compare_sink(
    store: Store,
    about: SinkInQuestion,
    lend: Lend,
    stopping: Stopping,
) -> list[Compared]:
    """Compare every stream of a sink; one that cannot be compared is told with the reason.

    Raises:
        Interrupted: the process was asked to end.
        StoreError: the state cannot be read.
    """
    unable = why_not(store, about)
    if unable:
        return [Compared("", "", about.name, skipped=unable)]
    found: list[Compared] = []
    for place, stream in about.places():
        compared = _compare(store, about, place, stream, lend, stopping)
        found.append(compared)
        if compared.failed:
            break  # the others would fail alike
    return found


def compare_here(
    store: Store, about: SinkInQuestion, stop: Event, stopping: Stopping
) -> list[Compared]:
    """The same of a sink that nobody delivers to: it is opened for that, under its lease.

    Raises:
        Interrupted: the process was asked to end.
        StoreError: the state cannot be read.
    """
    if why_not(store, about):
        return compare_sink(store, about, lambda work: work(about.sink), stopping)
    try:
        with opened(store, about, stop) as lend:
            return compare_sink(store, about, lend, stopping)
    except LeaseHeld as error:
        message = f"Sink {about.name} is being delivered to: {error.message}"
        return [_failed(Place(about.name, "", ""), message, "Ask again when that has ended.")]
    except SinkError as error:
        return [_failed(Place(about.name, "", ""), error.message, error.hint)]


def why_not(store: Store, about: SinkInQuestion) -> str:
    """Why a sink is not compared, as is right for it; empty where it is."""
    if isinstance(about.sink, NeedsActivation):
        return _REMOTE.format(name=about.name)
    if not isinstance(about.sink, ReadsBack):
        return _BLIND
    return "" if store.deliveries.known(about.name) else _NEW


def _compare(
    store: Store,
    about: SinkInQuestion,
    place: Place,
    stream: Stream,
    lend: Lend,
    stopping: Stopping,
) -> Compared:
    def work(sink: Sink) -> Compared:
        return SinkComparison(store, place, stream, sink, about.guard, stopping).run()

    try:
        return lend(work)
    except (SinkError, LeaseHeld) as error:
        return _failed(place, error.message, error.hint)


def _failed(place: Place, message: str, hint: str) -> Compared:
    return Compared(place.source, place.stream, place.sink, failed=message, hint=hint)


def guarded(work: Callable[[Sink], T]) -> Callable[[Sink], T]:
    """Work in which a connector's bug is told as such."""

    def run(sink: Sink) -> T:
        with bugs_told():
            return work(sink)

    return run


@contextmanager
def bugs_told() -> Iterator[None]:
    """Tell whatever a connector raises that its contract does not know.

    Raises:
        SinkBroken: it raised such a thing.
    """
    try:
        yield
    except (ZimunSyncError, Interrupted):
        raise
    except Exception as error:
        bug = error if isinstance(error, ConnectorBug) else as_bug(error)
        raise SinkBroken(
            f"Its connector failed: {bug}.", hint="This is a bug of the connector: report it."
        ) from error


@contextmanager
def opened(store: Store, about: SinkInQuestion, stop: Event) -> Iterator[Lend]:
    """Open a sink for looking, under its lease; it is lent within the block.

    Raises:
        LeaseHeld: another process delivers to it.
        SinkError: it cannot be opened now.
    """
    lease = sink_lease(about.name)
    with LeaseKeeper(store, [lease], stop) as keeper:
        context = sink_context(
            store,
            about.name,
            stop,
            lease=keeper.held[lease],
            streams=about.columns,
            guard=about.guard,
            looking=True,
        )
        try:
            with bugs_told():
                about.sink.open(context)
            yield lambda work: guarded(work)(about.sink)
        finally:
            with bugs_told():
                about.sink.close()


def state_of(store: Store, about: SinkInQuestion) -> SinkState:
    """How a sink stands now."""
    parked = store.deliveries.parked().get(about.name)
    version = version_of(about.sink, about.guard)
    lag = 0
    for place, stream in about.places():
        offset = store.deliveries.offset(place, fingerprint_of(stream, version))
        lag += store.feed.lag(place.source, place.stream, offset).changes
    if parked is not None:
        return SinkState("parked", lag, parked.reason, parked.hint)
    return SinkState("behind" if lag else "current", lag)
