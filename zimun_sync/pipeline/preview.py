"""What delivering to a sink would do, told by the sink itself while nothing is written."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice, takewhile
from types import TracebackType
from typing import Final, Self, TypeVar

from msgspec import Struct

from zimun_sync.errors import SinkBroken, SinkError
from zimun_sync.ids import Activation
from zimun_sync.model import STREAMS, Stream, in_order
from zimun_sync.pipeline.contact import sink_context
from zimun_sync.pipeline.isolate import as_bug
from zimun_sync.pipeline.offering import (
    fingerprint_of,
    retried,
    rows_at_once,
    version_of,
)
from zimun_sync.privacy import OPEN, Guard
from zimun_sync.sinks import Batch, Difference, Previews, Sink, StoredChange
from zimun_sync.store import Place, Store

#: Changes that are read at once, and that a sink is asked about at most.
_ROWS: Final = 1_000

_T = TypeVar("_T")


class Previewed(Struct, frozen=True):
    """What writing a batch would do.

    Args:
        batch: the changes.
        differences: what they would do; a change that none of them names is unchanged.
        pending: whether the next delivery brings the batch. Else the sink has taken it already,
            and what differs was changed there: only a replay would write it.
    """

    batch: Batch
    differences: Sequence[Difference]
    pending: bool

    @property
    def unchanged(self) -> int:
        """Changes that would do nothing."""
        named = {each.key for each in self.differences}
        return sum(head.key not in named for head in self.batch.heads)


class Preview:
    """Asks a sink what it would do; a context manager that holds it open.

    Args:
        store: the feed and the offsets; only read.
        name: the sink's name.
        sink: not yet open.
        activation: the consent to assume; None for the one that was given.
        streams: every stream by name, with the columns that the configuration promotes.
        guard: hides from the sink what its policies say.

    Raises:
        SinkUnavailable: the remote system cannot be asked now.
        SinkBroken: a person has to act, or its connector failed.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        sink: Sink,
        activation: Activation | None = None,
        streams: Mapping[str, Stream] = STREAMS,
        guard: Guard = OPEN,
    ) -> None:
        self._store = store
        self._name = name
        self._sink = sink
        self._streams = streams
        self._guard = guard
        self._context = sink_context(store, name, assuming=activation, streams=streams, guard=guard)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.callback(lambda: _guarded(self._sink.close))
        try:
            _guarded(lambda: self._sink.open(self._context))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def account(self) -> str | None:
        """The remote account that the sink writes to, where it tells."""
        return self._context.memory.account()

    def batches(
        self, streams: Mapping[str, Sequence[str]], *, everything: bool = False
    ) -> Iterator[Previewed]:
        """What the next delivery would do, batch by batch.

        Args:
            streams: stream names by source.
            everything: whether to begin with what the sink has taken already.
        """
        for source, names in streams.items():
            for name in in_order(names):
                yield from self._stream(Place(self._name, source, name), everything=everything)

    def _stream(self, place: Place, *, everything: bool) -> Iterator[Previewed]:
        version = version_of(self._sink, self._guard)
        fingerprint = fingerprint_of(self._streams[place.stream], version)
        offset = self._store.deliveries.offset(place, fingerprint)
        again = retried(self._store, place, offset)
        if everything and offset:
            taken = takewhile(lambda each: each.seq <= offset, self._changes(place, 0))
            offered = {change.key for change in again}
            rest = (each for each in taken if each.key not in offered)
            yield from self._asked(place, rest, pending=False)
        yield from self._asked(place, self._changes(place, offset), pending=True)
        yield from self._asked(place, again, pending=True, asked=True)

    def _asked(
        self,
        place: Place,
        changes: Iterable[StoredChange],
        *,
        pending: bool,
        asked: bool = False,
    ) -> Iterator[Previewed]:
        left = iter(changes)
        most = rows_at_once(self._sink, _ROWS)
        while stored := tuple(islice(left, most)):
            more = len(stored) == most
            batch = Batch(place.source, self._streams[place.stream], stored, more, asked)
            batch = self._guard.batch(batch)
            yield Previewed(batch, self._ask(batch, taken=not pending), pending)

    def _changes(self, place: Place, after: int) -> Iterator[StoredChange]:
        while stored := self._store.feed.changes(place.source, place.stream, after, _ROWS):
            yield from stored
            after = stored[-1].seq

    def _ask(self, batch: Batch, *, taken: bool) -> Sequence[Difference]:
        sink = self._sink
        if not isinstance(sink, Previews):
            return ()
        return _guarded(lambda: sink.preview(batch, taken=taken))


def _guarded(act: Callable[[], _T]) -> _T:
    """Have a connector do something; what its contract does not know is told as its bug."""
    try:
        return act()
    except SinkError:
        raise
    except Exception as error:
        bug = as_bug(error)
        raise SinkBroken(
            f"Its connector failed: {bug}.", hint="This is a bug of the connector: report it."
        ) from error
