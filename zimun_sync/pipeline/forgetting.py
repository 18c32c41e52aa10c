"""Forgetting people in the state; `erasures` does it in the sinks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event

from zimun_sync.events import Emit
from zimun_sync.model import PULLED, STREAMS
from zimun_sync.normalize import Normalizer, Rules
from zimun_sync.normalize.events import EVENT_STREAM, key_in
from zimun_sync.pipeline.contact import source_lease
from zimun_sync.pipeline.keeper import LeaseKeeper
from zimun_sync.pipeline.listings import EventSource
from zimun_sync.pipeline.places import places_of, rules_now
from zimun_sync.pipeline.renormalizing import renormalize
from zimun_sync.store import Store


def forget_in_state(store: Store, sources: Sequence[EventSource], emit: Emit) -> bool:
    """Leave nothing in the state about people who asked to be forgotten.

    Killed anywhere, it begins again. Whatever is stored meanwhile is stored without them.

    Args:
        store: the state.
        sources: every configured source.
        emit: told what came out different.

    Returns:
        Whether there was anything to do.

    Raises:
        LeaseHeld: another process works on a source that is not configured here.
        LeaseLost: another process took over.
        StoreError: the state could not be read or written.
    """
    unfinished = store.forgettings.unfinished()
    if not unfinished:
        return False
    with _and_former(store, sources) as every:
        for source in every:
            renormalize(store, source, emit)
            _erase_beside(store, source)
    store.eraser.rewrite()
    store.forgettings.finish(unfinished)
    return True


def _erase_beside(store: Store, source: EventSource) -> None:
    rules, places = rules_now(store, source.rules), places_of(store, source.name)
    normalizers = {name: Normalizer(each, rules, places) for name, each in PULLED.items()}
    scrubbers = {name: each.scrubber for name, each in normalizers.items()}
    events = normalizers[STREAMS[EVENT_STREAM].name]
    store.eraser.erase(source.name, scrubbers, lambda body: key_in(body, events))


@contextmanager
def _and_former(store: Store, sources: Sequence[EventSource]) -> Iterator[list[EventSource]]:
    """The sources, and those that are configured no more: their records are still here."""
    configured = {each.name for each in sources}
    former = [name for name in store.feed.heads() if name not in configured]
    with LeaseKeeper(store, [source_lease(name) for name in former], Event()) as keeper:
        others = [
            EventSource(name, Rules({}, {}), keeper.held[source_lease(name)]) for name in former
        ]
        yield [*sources, *others]
