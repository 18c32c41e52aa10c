"""Bringing what is stored of a source up to date with the rules of today."""

from zimun_sync.events import Emit, Renormalized
from zimun_sync.model import PULLED
from zimun_sync.normalize import Normalizer, Places
from zimun_sync.pipeline.listings import EventSource
from zimun_sync.pipeline.places import in_force, places_of, rules_now
from zimun_sync.store import Store


def renormalize(
    store: Store, source: EventSource, emit: Emit, places: Places | None = None
) -> None:
    """Normalize stored content again, if rules, places or who is forgotten changed since.

    The API is not asked.

    Args:
        store: the state.
        source: whose records.
        emit: told what came out different.
        places: those that are known now, where they are at hand.

    Raises:
        LeaseLost: another process took over.
        StoreError: the state could not be written.
    """
    rules = rules_now(store, source.name, source.rules)
    places = places or places_of(store, source.name)
    fingerprint = in_force(rules, places)
    if store.renormalizer.is_current(source.name, fingerprint):
        return
    store.renormalizer.begin(source.lease, source.name)
    for stream in PULLED.values():
        normalizer = Normalizer(stream, rules, places)
        changed = store.renormalizer.run(source.lease, source.name, normalizer)
        if changed:
            emit(Renormalized(source.name, stream.name, changed))
    store.renormalizer.mark_current(source.lease, source.name, fingerprint)
