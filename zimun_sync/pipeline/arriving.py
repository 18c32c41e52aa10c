"""The inbox as webhooks see it: what is about people who asked to be forgotten is not let in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from zimun_sync.model import STREAMS
from zimun_sync.normalize import Rules, Scrubber
from zimun_sync.normalize.events import EVENT_STREAM, scrubbed
from zimun_sync.pipeline.places import places_of, rules_now
from zimun_sync.store import Received, Store


@dataclass(slots=True)
class Arriving:
    """Scrubs events on their way into the inbox; costs one query while nobody is forgotten.

    Args:
        store: the inbox, and who asked.
        rules: the user's words on the fields of a source, by its name.
    """

    store: Store
    rules: Callable[[str], Rules]
    _ready: dict[str, tuple[tuple[int, str], Scrubber]] = field(default_factory=dict)

    def add(self, events: Sequence[Received]) -> int:
        """Commit events, all of them or none; returns how many were not known yet.

        Raises:
            StoreError: the state could not be read or written; none of them is kept.
        """
        asked = self.store.forgettings.count()
        return self.store.inbox.add(
            [self._clean(each, asked) for each in events] if asked else events
        )

    def _clean(self, event: Received, asked: int) -> Received:
        return replace(event, body=scrubbed(event.body, self._scrubber(event.source, asked)))

    def _scrubber(self, source: str, asked: int) -> Scrubber:
        at = (asked, self.store.renormalizer.fingerprint(source))
        found = self._ready.get(source)
        if found is None or found[0] != at:
            rules = rules_now(self.store, source, self.rules(source))
            made = Scrubber(STREAMS[EVENT_STREAM], rules, places_of(self.store, source))
            found = self._ready[source] = (at, made)
        return found[1]
