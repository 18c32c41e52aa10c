"""Records that someone took out of quarantine, tried again with the rules of today."""

from collections.abc import Sequence

from msgspec import Struct

from zimun_sync.model import STREAMS
from zimun_sync.normalize import Normalizer, normalize_items
from zimun_sync.normalize.events import EVENT_KEY
from zimun_sync.pipeline.listings import EventSource
from zimun_sync.pipeline.places import places_of, rules_now
from zimun_sync.store import Entry, RulesChanged, Store, Understood


class Retrying(Struct, frozen=True):
    """Takes up what is marked for a retry on the source's side.

    Args:
        source: whose entries.
        store: quarantine and change feed.
    """

    source: EventSource
    store: Store

    def step(self) -> bool:
        """Try every marked entry once; tells whether there was any.

        Raises:
            LeaseLost: another process took over.
            StoreError: the state could not be read or written.
        """
        entries = self.store.quarantine.marked(self.source.name)
        for entry in entries:
            is_event = entry.key.startswith(EVENT_KEY)
            if is_event and entry.raw is None:  # it was about somebody who was forgotten
                self.store.quarantine.mark(entry.id, "closed")
            elif is_event or entry.raw is None:
                self.store.inbox.put_back(self.source.lease, entry)
            else:
                self._normalize(entry, entry.raw)
        return bool(entries)

    def _normalize(self, entry: Entry, raw: bytes) -> None:
        try:
            self._settle(entry, [raw])
        except RulesChanged:
            self._settle(entry, [raw])

    def _settle(self, entry: Entry, raws: Sequence[bytes]) -> None:
        name = self.source.name
        rules = self.store.renormalizer.fingerprint(name)
        in_force = rules_now(self.store, self.source.name, self.source.rules)
        normalizer = Normalizer(STREAMS[entry.stream], in_force, places_of(self.store, name))
        items = normalize_items(raws, normalizer)
        records = [(record, entry.last_at) for record in items.records]
        understood = Understood(records=records, refused=items.refused)
        self.store.inbox.settle(self.source.lease, name, entry.stream, understood, rules)
        if records:
            # Its entry may stand under another key than the one it has now.
            self.store.quarantine.mark(entry.id, "closed")
