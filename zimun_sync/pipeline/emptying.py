"""Emptying a sink: every record that it holds of the configured sources is deleted there."""

from collections.abc import Iterator, Sequence
from threading import Event

from zimun_sync.errors import ConfigError
from zimun_sync.model import Stream
from zimun_sync.pipeline.contact import sink_context
from zimun_sync.pipeline.deliver import BATCH_ROWS
from zimun_sync.pipeline.isolate import write
from zimun_sync.pipeline.verify_sinks import SinkInQuestion, bugs_told
from zimun_sync.sinks import (
    Adopts,
    Batch,
    NeedsActivation,
    ReadsBack,
    Sink,
    SinkContext,
    StoredChange,
)
from zimun_sync.store import Lease, Place, Store


def refuse_to_empty(name: str, sink: Sink) -> None:
    """Make sure that a sink can be emptied.

    Raises:
        ConfigError: nothing is deleted in a remote system, or what it holds is not known.
    """
    if isinstance(sink, NeedsActivation):
        raise ConfigError(
            f"Sink {name} writes to a remote system: contacts and appointments there belong to "
            "others too, so nothing is deleted there.",
            hint=f"`zimun-sync replay {name}` compares each field anew and writes what differs.",
        )
    if not isinstance(sink, ReadsBack):
        raise ConfigError(
            f"Sink {name} cannot be read back, so what it holds is not known.",
            hint=f"Empty it by hand, then `zimun-sync replay {name}`.",
        )


def empty(store: Store, about: SinkInQuestion, lease: Lease, stop: Event) -> int:
    """Delete everything a sink holds, and have everything delivered to it anew.

    The offsets are set back before anything is deleted: after a crash the next delivery brings
    what is missing. A sink that cannot be opened is left as it is.

    Args:
        store: what it is to be filled from.
        about: the sink; not open.
        lease: the sink's.
        stop: set to end early.

    Returns:
        How many records were deleted.

    Raises:
        ConfigError: it cannot be emptied.
        SinkError: as any write; a bug of the connector is told as one.
    """
    refuse_to_empty(about.name, about.sink)
    context = sink_context(
        store,
        about.name,
        stop,
        adopting=True,
        lease=lease,
        streams=about.columns,
        guard=about.guard,
    )
    with bugs_told():
        about.sink.open(context)
    try:
        store.deliveries.rewind(about.name)
        store.deliveries.unpark(about.name)
        with bugs_told():
            return _delete_all(store, about, context)
    finally:
        with bugs_told():
            about.sink.close()


def _delete_all(store: Store, about: SinkInQuestion, context: SinkContext) -> int:
    if isinstance(about.sink, Adopts):
        about.sink.adopt(context)  # sequences recorded so far protect nothing any more
    deleted = 0
    for place, stream in about.places():
        for batch in _deletes(store, about.sink, place, stream):
            if context.stop.is_set():
                return deleted
            deleted += write(about.sink, batch).applied
    return deleted


def _deletes(store: Store, sink: Sink, place: Place, stream: Stream) -> Iterator[Batch]:
    """Deletes of all that a sink holds of a stream.

    Each has the sequence of the record's present state, so that this state may come after it.
    """
    if not isinstance(sink, ReadsBack):
        return
    keys = [key for key, _ in sink.read_back(place.source, stream)]  # whole: it is written to next
    for start in range(0, len(keys), BATCH_ROWS):
        gone = _gone(store, place, keys[start : start + BATCH_ROWS])
        yield Batch(place.source, stream, gone, more=True)


def _gone(store: Store, place: Place, keys: Sequence[str]) -> list[StoredChange]:
    present = store.feed.present(place.source, place.stream, keys)
    seqs = {change.key: change.seq for change in present}
    head, now = store.feed.heads().get(place.source, 0), store.now()
    gone = [
        StoredChange(seqs.get(key, head), key, None, "", "reset", now)
        for key in dict.fromkeys(keys)
    ]
    return sorted(gone, key=lambda change: change.seq)
