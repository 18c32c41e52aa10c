"""Records in which source and store seemed to differ, looked at once more.

A listing takes its time, and webhooks go on meanwhile: what differs is asked for by id, where the
API offers that, and the store is read again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from zimun_sync.errors import NotFound, RecordInvalid, SourceError
from zimun_sync.model import to_micros
from zimun_sync.normalize import Normalizer
from zimun_sync.pipeline.findings import Finding, Kind, Why
from zimun_sync.pipeline.listings import Interrupted, Listings, Stopping
from zimun_sync.store import Standing, Store

#: Records of a stream that are asked for by id.
ASKED_AT_MOST: Final = 500
#: How far clocks may be apart that are told in whole seconds, microseconds.
_SKEW: Final = 2_000_000
_PULL: Final = "The next full pull brings it; `zimun-sync verify --repair` has one made now."
_GONE: Final = "The next full pull deletes it, on proof; `zimun-sync verify --repair` has one made."
_AGAIN: Final = "Look again."
_NOT_BY_ID: Final = "not found by id: check `paths` and `by_id`"


class Shown(Struct, frozen=True):
    """A record as the source shows it.

    Args:
        hash: of its content.
        updated_at: the source's own time of it, microseconds UTC.
        asked_at: when it was asked for, by the source's clock, microseconds UTC.
    """

    hash: bytes
    updated_at: int | None
    asked_at: int


@dataclass(slots=True)
class Doubts:
    """Decides on what seemed to differ in one stream of one source.

    Args:
        listings: the API.
        store: read again.
        source: the source's name.
        normalizer: of the stream.
        began: when the listing was first asked for, by the source's clock, microseconds UTC.
        stopping: asked between requests.
    """

    listings: Listings
    store: Store
    source: str
    normalizer: Normalizer
    began: int
    stopping: Stopping
    _asked: int = 0
    _silent: str = field(default="")

    def settle(self, key: str, shown: Shown | None) -> Finding | None:
        """What is to be said of a record; None if the two agree after all.

        Args:
            key: of the record.
            shown: as the listing has it; None if it lacks it.

        Raises:
            Interrupted: the process was asked to end.
        """
        if self.stopping():
            raise Interrupted
        stream = self.normalizer.stream.name
        if not self.listings.has_by_id(stream):
            return self._decide(key, shown, "the API cannot be asked for it by id")
        if self._asked >= ASKED_AT_MOST or self._silent:
            why = self._silent or f"more than {ASKED_AT_MOST} differ: it was not asked for by id"
            return self._unasked(key, shown, why)
        self._asked += 1
        try:
            now = self._by_id(stream, key)
        except RecordInvalid as error:
            return Finding(key, Kind.IN_QUARANTINE, Why.FAULT, error.code, _PULL)
        except SourceError as error:
            self._silent = f"the API could not be asked: {error.message}"
            return self._unasked(key, shown, self._silent)
        if now is not None:
            return self._decide(key, now, "")
        return self._gone(key) if shown is None else self._contradicted(key, shown)

    def _gone(self, key: str) -> Finding | None:
        return self._decide(key, None, "asked for by id, it is gone")

    def _contradicted(self, key: str, shown: Shown) -> Finding | None:
        """The listing has it, by id there is none: most likely it is not to be had by id at all."""
        return None if self._buried_since(key, shown) else self._decide(key, shown, _NOT_BY_ID)

    def _unasked(self, key: str, shown: Shown | None, why: str) -> Finding | None:
        """What the listing shows stands for it; that it lacks a record proves nothing."""
        if shown is None:
            return Finding(key, Kind.GONE_AT_SOURCE, Why.UNDECIDED, why, _AGAIN)
        return self._decide(key, shown, why)

    def _by_id(self, stream: str, key: str) -> Shown | None:
        try:
            answer = self.listings.record(stream, key)
        except NotFound:
            return None
        record = self.normalizer.normalize(bytes(answer.items[0]))
        return Shown(record.hash, record.updated_at, to_micros(answer.requested_at))

    def _decide(self, key: str, shown: Shown | None, remark: str) -> Finding | None:
        held = self._held(key)
        if shown is None:
            return held and Finding(key, Kind.GONE_AT_SOURCE, Why.FAULT, remark, _GONE)
        if held is not None and held.hash == shown.hash:
            return None
        kind = Kind.MISSING_IN_STORE if held is None else Kind.STALE_IN_STORE
        if self._changed_meanwhile(held, shown):
            return Finding(key, kind, Why.UNDECIDED, "it changed meanwhile", _AGAIN)
        later = "" if held is None else _later(held, shown)
        said = "; ".join(each for each in (later, remark) if each)
        return Finding(key, kind, Why.FAULT, said, _PULL)

    def _held(self, key: str) -> Standing | None:
        held = self._standing(key)
        return None if held is None or held.deleted else held

    def _buried_since(self, key: str, shown: Shown) -> bool:
        held = self._standing(key)
        return held is not None and held.deleted and held.observed_at > shown.asked_at

    def _standing(self, key: str) -> Standing | None:
        stream = self.normalizer.stream.name
        found: Mapping[str, Standing] = self.store.standing.of(self.source, stream, [key])
        return found.get(key)

    def _changed_meanwhile(self, held: Standing | None, shown: Shown) -> bool:
        meanwhile = range(self.began - _SKEW, shown.asked_at + _SKEW)
        return shown.updated_at in meanwhile or (
            held is not None and held.observed_at > shown.asked_at
        )


def _later(held: Standing, shown: Shown) -> str:
    if shown.updated_at is None or shown.updated_at == held.version:
        return "neither is the later by its updated_at"
    side = "source" if shown.updated_at > held.version else "store"
    return f"the {side} has the later updated_at"
