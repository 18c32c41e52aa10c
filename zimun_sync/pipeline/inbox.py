"""From the inbox into the change feed: what events carry is merged, what they name is fetched.

Two loops a source, so that a slow API never holds up what needs no request.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from zimun_sync.errors import NotFound, RecordInvalid, RequestRefused
from zimun_sync.events import Emit, EventsApplied, RecordsFetched
from zimun_sync.model import STREAMS, to_micros
from zimun_sync.normalize import Normalized, Normalizer, Refused
from zimun_sync.normalize.events import (
    EVENT_KEY,
    EVENT_STREAM,
    Carried,
    Named,
    fields_of_raw,
    understand,
)
from zimun_sync.pipeline.announcing import announce_fields
from zimun_sync.pipeline.listings import EventSource, Listings
from zimun_sync.pipeline.places import in_force, places_of, rules_now
from zimun_sync.store import (
    WEBHOOK,
    Fetched,
    Origin,
    RulesChanged,
    Standing,
    Store,
    Thin,
    Understood,
    WaitingEvent,
)
from zimun_sync.zimun import Page

_EVENTS_AT_ONCE: Final = 500
#: Events whose records are fetched in one round: those for the same record cost one request.
_THIN_AT_ONCE: Final = 200


@dataclass(slots=True)
class _Sorting:
    """Events by what they say."""

    carried: list[tuple[int, int, Carried]] = field(default_factory=list)
    named: list[tuple[int, str]] = field(default_factory=list)
    refused: list[tuple[int, Refused]] = field(default_factory=list)


@dataclass(slots=True)
class Applying:
    """Merges what waiting events carry; never talks to the API.

    Args:
        source: whose events.
        store: the inbox and the change feed.
        emit: told what happens.
    """

    source: EventSource
    store: Store
    emit: Emit
    _ready: tuple[str, Normalizer] | None = None

    def step(self) -> bool:
        """Settle a batch of events; tells whether there was anything to do.

        Raises:
            LeaseLost: another process took over.
            StoreError: the state could not be read or written.
        """
        events = self.store.inbox.next(self.source.name, _EVENTS_AT_ONCE)
        if not events:
            return False
        while True:
            try:
                self._settle(events)
            except RulesChanged:
                continue  # a pull has just learnt of a place: normalize with it
            return True

    def _settle(self, events: Sequence[WaitingEvent]) -> None:
        name = self.source.name
        rules = self.store.renormalizer.fingerprint(name)
        ready, self._ready = self._ready, None  # not kept beyond a failure
        if ready is None or ready[0] != rules:
            ready = self._with_places_of_now()
        normalizer = ready[1]
        sorting = self._sort(events, normalizer)
        settled = [number for number, _, _ in sorting.carried]
        settled += [number for number, _ in sorting.refused]
        understood = Understood(
            settled,
            [(each.record, at) for _, at, each in sorting.carried],
            [refused for _, refused in sorting.refused],
            sorting.named,
        )
        changed = self.store.inbox.settle(self.source.lease, name, EVENT_STREAM, understood, rules)
        announce_fields(self.store, self.emit, name, EVENT_STREAM, normalizer.noticed())
        self.emit(
            EventsApplied(name, len(events), changed, len(sorting.named), len(sorting.refused))
        )
        self._ready = ready

    def _with_places_of_now(self) -> tuple[str, Normalizer]:
        rules = rules_now(self.store, self.source.name, self.source.rules)
        places = places_of(self.store, self.source.name)
        return in_force(rules, places), Normalizer(STREAMS[EVENT_STREAM], rules, places)

    def _sort(self, events: Sequence[WaitingEvent], normalizer: Normalizer) -> _Sorting:
        sorting = _Sorting()
        organization = self.store.organization(self.source.name)
        for event in events:
            said = understand(event.event_id, event.body, normalizer)
            if isinstance(said, Carried):
                said = _of(organization, event, said, normalizer)
            match said:
                case Carried():
                    at = event.sent_at if said.at is None else said.at
                    sorting.carried.append((event.id, at, said))
                case Named(key):
                    sorting.named.append((event.id, key))
                case Refused():
                    sorting.refused.append((event.id, said))
        self._set_partial_ones_apart(sorting)
        return sorting

    def _set_partial_ones_apart(self, sorting: _Sorting) -> None:
        """An event that lacks fields which the stored record has says only that it changed."""
        keys = {each.record.key for _, _, each in sorting.carried}
        stored = self._stored_fields(keys)
        whole = []
        for number, at, each in sorting.carried:
            if stored.get(each.record.key, frozenset()) <= each.fields:
                whole.append((number, at, each))
            else:
                sorting.named.append((number, each.record.key))
        sorting.carried = whole
        self._doubt_burials(sorting, {key for key, fields in stored.items() if not fields})

    def _doubt_burials(self, sorting: _Sorting, buried: set[str]) -> None:
        """A version that loses against a tombstone may say that the record is back: it is asked."""
        if not buried:
            return
        standing = self.store.standing.of(self.source.name, EVENT_STREAM, buried)
        for number, at, each in sorting.carried:
            known = standing.get(each.record.key)
            if known is not None and _is_outdated(each.record, at, known):
                sorting.named.append((number, each.record.key))

    def _stored_fields(self, keys: set[str]) -> Mapping[str, frozenset[str]]:
        raws = self.store.feed.raws(self.source.name, EVENT_STREAM, keys)
        return {key: fields_of_raw(raw) for key, raw in raws.items()}


def _is_outdated(record: Normalized, at: int, known: Standing) -> bool:
    version = at if record.updated_at is None else record.updated_at
    return version <= max(known.version, known.overruled)


def _of(
    known: str | None, event: WaitingEvent, said: Carried, normalizer: Normalizer
) -> Carried | Refused:
    """Two organizations' records are never mixed, however well signed."""
    given = normalizer.organization_of(said.record)
    if None in (known, given) or known == given:
        return said
    message = f"The event is of organization {given!r}; this source is {known!r}."
    body = normalizer.scrubber.anything(event.body)
    return Refused(EVENT_KEY + event.event_id, "other-organization", message, body)


class Fetching(Struct, frozen=True):
    """Fetches the records that thin events name; each one once, however many events wait.

    Args:
        source: whose events.
        listings: the API.
        store: the inbox and the change feed.
        emit: told what happens.
        stopping: asked between requests.
    """

    source: EventSource
    listings: Listings
    store: Store
    emit: Emit
    stopping: Callable[[], bool]

    def step(self) -> bool:
        """Fetch some records; tells whether there was anything to do.

        Raises:
            SourceError: the API cannot be asked now; the events go on waiting.
            LeaseLost: another process took over.
            StoreError: the state could not be read or written.
        """
        waiting = self.store.inbox.thin(self.source.name, _THIN_AT_ONCE)
        fetched = gone = changed = 0
        try:
            for thin in waiting:
                if self.stopping():
                    break
                outcome = self._fetch(thin)
                fetched += 1
                gone += outcome is None
                changed += outcome or 0
        finally:
            if fetched:
                self.emit(RecordsFetched(self.source.name, fetched, gone, changed))
        return bool(waiting)

    def _fetch(self, thin: Thin) -> int | None:
        """Fetch one record; tells how many changed, None when it is gone."""
        answer = self._ask(thin.key)
        while True:
            try:
                changed = self._settle(thin, answer)
            except RulesChanged:
                continue  # a pull has just learnt of a place: normalize with it
            return None if answer is None else changed

    def _ask(self, key: str) -> Page | Refused | None:
        try:
            return self.listings.record(EVENT_STREAM, key)
        except NotFound:
            return None
        except RequestRefused as error:
            return Refused(key, "not-fetchable", error.message, None)

    def _settle(self, thin: Thin, answer: Page | Refused | None) -> int:
        rules = self.store.renormalizer.fingerprint(self.source.name)
        origin = Origin(self.source.name, EVENT_STREAM, WEBHOOK)
        if isinstance(answer, Page):
            asked_at = to_micros(answer.requested_at)
            correction = round(answer.correction * 1e6)
            fetched = Fetched(self._read(thin.key, answer), asked_at, rules, correction)
        else:
            fetched = Fetched(answer, 0, rules)
        return self.store.inbox.fetched(self.source.lease, origin, thin, fetched)

    def _read(self, key: str, answer: Page) -> Normalized | Refused:
        normalizer = _normalizer_of_now(self.store, self.source)
        (raw,) = normalizer.scrubber.items([bytes(answer.items[0])])
        try:
            record = normalizer.normalize(raw)
        except RecordInvalid as error:
            return Refused(key, error.code, error.message, raw)
        announce_fields(self.store, self.emit, self.source.name, EVENT_STREAM, normalizer.noticed())
        return record


def _normalizer_of_now(store: Store, source: EventSource) -> Normalizer:
    rules, places = rules_now(store, source.name, source.rules), places_of(store, source.name)
    return Normalizer(STREAMS[EVENT_STREAM], rules, places)
