"""What a sink is offered: which streams in which order, how much at once, from where on."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from typing import Final

from zimun_sync.model import Stream
from zimun_sync.privacy import OPEN, Guard
from zimun_sync.sinks import Batch, Paced, Sink, StoredChange, Versioned
from zimun_sync.store import REDELIVERED, Place, Store

#: Records that are read at once to tell their hashes.
_KEYS_AT_ONCE: Final = 1_000


def rows_at_once(sink: Sink, most: int) -> int:
    """Most changes of one batch.

    Args:
        sink: may want less than the engine would give it.
        most: what the engine would give it.
    """
    return min(most, sink.batch_rows) if isinstance(sink, Paced) else most


def version_of(sink: Sink, guard: Guard = OPEN) -> str:
    """What stands for a sink's own settings, such as its mapping; empty where nothing does.

    Args:
        sink: may have such settings.
        guard: what is hidden from it, which counts too.
    """
    own = sink.fingerprint if isinstance(sink, Versioned) else ""
    return "|".join(each for each in (own, guard.fingerprint) if each)


def versions_of(sinks: Mapping[str, Sink], guards: Mapping[str, Guard]) -> dict[str, str]:
    """The same of several sinks, by name."""
    return {name: version_of(sink, guards.get(name, OPEN)) for name, sink in sinks.items()}


def fingerprint_of(stream: Stream, version: str = "") -> str:
    """Changes when a sink must be given everything anew.

    Args:
        stream: whose columns may differ from what the sink was given.
        version: the sink's own, by `version_of`.
    """
    columns = ",".join(f"{column.name}:{column.type}" for column in stream.columns)
    mixed = f"{columns}|{version}" if version else columns
    return blake2b(mixed.encode(), digest_size=16).hexdigest()


def hashes_of(
    store: Store, source: str, stream: Stream, guard: Guard = OPEN
) -> Iterator[tuple[str, str]]:
    """Key and hash of every record that is not deleted, as a sink with that guard is given them."""
    if not stream.promoted and not guard.covers(stream):
        yield from store.feed.hashes(source, stream.name)
        return
    keys = (key for key, _ in store.feed.hashes(source, stream.name))
    while some := list(islice(keys, _KEYS_AT_ONCE)):
        batch = guard.batch(Batch(source, stream, store.feed.present(source, stream.name, some)))
        yield from ((head.key, head.hash) for head in batch.heads)


def retried(store: Store, place: Place, offset: int) -> list[StoredChange]:
    """Present states of rejected records that someone asked to offer again.

    Args:
        store: quarantine and change feed.
        place: the stream on its way to the sink.
        offset: the last sequence that the sink took; what lies behind it comes by itself.
    """
    entries = store.quarantine.retrying(place.source, place.stream, place.sink)
    keys = {entry.key for entry in entries if entry.code != REDELIVERED}  # those: see `anew`
    if not keys:
        return []
    present = store.feed.present(place.source, place.stream, keys)
    return [change for change in present if change.seq <= offset]
