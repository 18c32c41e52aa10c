"""Forgetting people in the state; `erasures` does it in the sinks."""

from collections.abc import Collection, Sequence
from threading import Event

from zimun_sync.events import Emit
from zimun_sync.model import PULLED, STREAMS
from zimun_sync.normalize import Normalizer, Rules, Suppressions
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
        StoreError: the state could not be read or written, or somebody reads in its log.
    """
    unfinished = store.forgettings.unfinished()
    if not unfinished:
        return False
    for source in sources:
        forget_in_source(store, source, emit)
    forget_in_former(store, {each.name for each in sources}, emit)
    finish(store, unfinished)
    return True


def forget_in_source(store: Store, source: EventSource, emit: Emit) -> None:
    """Scrub one source's records, their past, and what stands beside them."""
    renormalize(store, source, emit)
    # Once more, if records were found to be theirs: states of them that name nobody are, too.
    renormalize(store, source, emit)
    _erase_beside(store, source)


def forget_in_former(store: Store, configured: Collection[str], emit: Emit) -> None:
    """The same for sources that are configured no more: their records are still here.

    What their fields are called is not known, so a record that mentions someone anywhere is theirs.
    """
    former = [name for name in store.feed.heads() if name not in configured]
    rules = Rules({}, {}, forgotten=Suppressions(strict=True))
    with LeaseKeeper(store, [source_lease(name) for name in former], Event()) as keeper:
        for name in former:
            source = EventSource(name, rules, keeper.held[source_lease(name)])
            forget_in_source(store, source, emit)


def finish(store: Store, requests: Sequence[int]) -> None:
    """Leave nothing in freed pages; from then on it is for the sinks to forget.

    Raises:
        StoreError: the state could not be written, or somebody reads in its log.
    """
    store.eraser.rewrite()
    store.forgettings.finish(requests)


def _erase_beside(store: Store, source: EventSource) -> None:
    rules, places = rules_now(store, source.name, source.rules), places_of(store, source.name)
    normalizers = {name: Normalizer(each, rules, places) for name, each in PULLED.items()}
    scrubbers = {name: each.scrubber for name, each in normalizers.items()}
    events = normalizers[STREAMS[EVENT_STREAM].name]
    store.eraser.erase(source.name, scrubbers, lambda body: key_in(body, events))
