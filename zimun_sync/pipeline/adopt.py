"""Adopting a sink that belongs to another state, or that is ahead of a restored one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from threading import Event
from types import TracebackType
from typing import Self

from msgspec import Struct

from zimun_sync.errors import ConfigError
from zimun_sync.model import DERIVED, STREAMS, Stream, delivered
from zimun_sync.pipeline.contact import sink_context, sink_lease
from zimun_sync.pipeline.deliver import BATCH_ROWS
from zimun_sync.pipeline.keeper import LeaseKeeper
from zimun_sync.pipeline.offering import hashes_of
from zimun_sync.privacy import OPEN, Guard
from zimun_sync.sinks import Adopts, Batch, ReadsBack, Sink, SinkContext, StoredChange
from zimun_sync.store import Lease, ParkKind, Store


class Comparison(Struct, frozen=True):
    """How a sink's records of one stream compare with the store's."""

    source: str
    stream: str
    same: int
    different: int
    missing: int
    only_in_sink: int


class Adoption:
    """Compares, then adopts; a context manager that holds the sink open and its lease.

    Args:
        store: the state that the sink shall belong to.
        name: the sink's name.
        sink: not yet open.
        streams: every stream by name, with the columns that the configuration promotes.
        guard: hides from the sink what its policies say.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        sink: Sink,
        streams: Mapping[str, Stream] = STREAMS,
        guard: Guard = OPEN,
    ) -> None:
        self._streams = streams
        self._guard = guard
        self._store = store
        self._name = name
        self._sink = sink
        self._stack = ExitStack()
        self._lease: Lease | None = None

    def __enter__(self) -> Self:
        if not isinstance(self._sink, Adopts) and not self._is_restored():
            raise ConfigError(
                f"Sink {self._name!r} does not record which state it belongs to.",
                hint="There is nothing to adopt; just run `zimun-sync sync`.",
            )
        lease = sink_lease(self._name)
        keeper = self._stack.enter_context(LeaseKeeper(self._store, [lease], Event()))
        self._lease = keeper.held[lease]
        self._sink.open(self._context())
        self._stack.callback(self._sink.close)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _context(self) -> SinkContext:
        return sink_context(
            self._store,
            self._name,
            adopting=True,
            lease=self._lease,
            streams=self._streams,
            guard=self._guard,
        )

    def _is_restored(self) -> bool:
        """Whether the sink waits because the state was restored, whatever the sink records."""
        parked = self._store.deliveries.parked().get(self._name)
        return parked is not None and parked.kind is ParkKind.RESTORED

    def compare(self, streams: Mapping[str, Sequence[str]]) -> Iterator[Comparison]:
        """Keys and content hashes of each source's streams, sink against store."""
        if not isinstance(self._sink, ReadsBack):
            return
        for source, names in streams.items():
            for name in delivered(names):
                stream = self._streams[name]
                stored = dict(hashes_of(self._store, source, stream, self._guard))
                held = self._sink.read_back(source, stream)
                yield _compare(source, name, stored, held)

    def adopt(self, streams: Mapping[str, Sequence[str]]) -> None:
        """Record this store as the sink's, where it can, and deliver everything to it anew.

        Versions that this store knows nothing of would stand beside those that it tells: they go.
        """
        if isinstance(self._sink, Adopts):
            self._sink.adopt(self._context())
        for source, names in streams.items():
            for name in DERIVED.intersection(delivered(names)):
                self._drop_unknown(source, self._streams[name])
        self._store.activations.doubt_sent(self._name)
        self._store.deliveries.rewind(self._name)
        self._store.deliveries.unpark(self._name)

    def _drop_unknown(self, source: str, stream: Stream) -> None:
        """Delete what the sink holds of a stream and the store does not know."""
        if not isinstance(self._sink, ReadsBack):
            return
        known = {key for key, _ in hashes_of(self._store, source, stream)}
        held = (key for key, _ in self._sink.read_back(source, stream))
        unknown = [key for key in held if key not in known]
        now, head = self._store.now(), self._store.feed.heads().get(source, 0)
        gone = [StoredChange(head, key, None, "", "adopt", now) for key in unknown]
        for start in range(0, len(gone), BATCH_ROWS):
            self._sink.write(Batch(source, stream, gone[start : start + BATCH_ROWS]))


def _compare(
    source: str, stream: str, stored: dict[str, str], held: Iterator[tuple[str, str]]
) -> Comparison:
    same = different = extra = 0
    for key, content in held:
        found = stored.pop(key, None)
        same += found == content
        different += found is not None and found != content
        extra += found is None
    return Comparison(source, stream, same, different, len(stored), extra)
