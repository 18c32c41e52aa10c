"""Delivering single records again that a sink was found not to hold as they are stored.

A sink leaves out what it takes for unchanged, by the hash that it recorded. So each record is
taken away first and then given again, with the sequence it has: the same two batches once more,
after a crash, end the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from zimun_sync.errors import SinkError, StoreError
from zimun_sync.pipeline.isolate import as_bug
from zimun_sync.sinks import (
    Adopts,
    Batch,
    NeedsActivation,
    Publishes,
    ReadsBack,
    Sink,
    SinkContext,
    StoredChange,
    WriteResult,
)
from zimun_sync.store import REDELIVERED, Place, Store


def asked_anew(store: Store, place: Place, offset: int) -> list[StoredChange]:
    """Present states of the records that are to be delivered again, in sequence order.

    One that the store does not know is deleted.

    Args:
        store: knows which, and how they are now.
        place: the stream on its way to the sink.
        offset: the last sequence that the sink took; what lies behind it comes by itself.
    """
    entries = store.redeliveries.of(place)
    if not entries:
        return []
    present = store.feed.present(place.source, place.stream, {entry.key for entry in entries})
    known = {change.key for change in present}
    now = store.now()
    return [change for change in present if change.seq <= offset] + [
        StoredChange(offset, entry.key, None, "", REDELIVERED, now)
        for entry in entries
        if entry.key not in known
    ]


def write_anew(
    sink: Sink,
    batch: Batch,
    write: Callable[[Batch], WriteResult],
    context: Callable[[], SinkContext],
) -> WriteResult:
    """Write changes that the sink may take for unchanged, and let readers see nothing else.

    A sink that keeps what it has, for it holds a later sequence than the store ever gave it, is
    adopted: such sequences mean nothing.

    Args:
        sink: what to write to; never a remote system, where taking away would cancel.
        batch: present states of records.
        write: opens the sink and writes a batch to it.
        context: what the sink is opened with.

    Raises:
        SinkError: as any write.
        ConnectorBug: anything else that the connector raised.
    """
    if isinstance(sink, NeedsActivation):
        return write(batch)
    result = _replaced(batch, write)
    if isinstance(sink, Adopts) and _was_kept(sink, batch, result):
        _adopt(sink, context())
        result = _replaced(batch, write)
    if isinstance(sink, Publishes):
        _publish(sink)
    return result


def _replaced(batch: Batch, write: Callable[[Batch], WriteResult]) -> WriteResult:
    gone = [change._replace(row=None, hash="") for change in batch.stored]
    write(replace(batch, stored=gone, more=True))
    return write(batch)


def _was_kept(sink: Sink, batch: Batch, result: WriteResult) -> bool:
    """Whether a sink still holds what it was to take away, or to replace."""
    gone = {head.key for head in batch.heads if head.deleted}
    if result.unchanged > len(gone):
        return True
    if not gone or not isinstance(sink, ReadsBack):
        return False
    with _bugs_raised():
        held = sink.read_back(batch.source, batch.stream)
        return bool(gone.intersection(key for key, _ in held))


def _adopt(sink: Adopts, context: SinkContext) -> None:
    with _bugs_raised():
        sink.adopt(replace(context, adopting=True))


def _publish(sink: Publishes) -> None:
    with _bugs_raised():
        sink.publish_anew()


@contextmanager
def _bugs_raised() -> Iterator[None]:
    try:
        yield
    except (SinkError, StoreError):
        raise
    except Exception as error:
        raise as_bug(error) from error
