"""Availability and the holidays as listings like any other: one page a request.

The API tells them service by service and only for some days to come. Here a page is the answer
for one offer (of `availability`) or one location (of `holidays`), and its token names the next
one, so that checkpoints, resuming and run records are those of every stream. Nothing is kept
between pages but what is asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import groupby
from typing import Final

import msgspec
from msgspec.structs import replace

from zimun_sync.errors import NotFound, PageTokenExpired, RequestRefused
from zimun_sync.model import AVAILABILITY, from_micros, to_micros
from zimun_sync.normalize.slots import begun, iso
from zimun_sync.pipeline.day_items import (
    Asked,
    availability_items,
    day_key,
    holiday_items,
    refused_item,
    today_at,
)
from zimun_sync.pipeline.listings import Coverage, Listings
from zimun_sync.pipeline.offers import HorizonRules, Offer, escaped, offers_of
from zimun_sync.pipeline.places import places_of
from zimun_sync.store import Days, Store
from zimun_sync.zimun import Page, read_offered

#: The streams that are made here, by name.
MADE: Final = frozenset({"availability", "holidays"})

#: Statuses that say no to one service, place or person, not to the whole listing.
_NO: Final = frozenset({400, 422})
#: Refusals in a row, before any answer, after which the whole listing is refused.
_PATIENCE: Final = 20
#: Services of a location that are tried for its holidays.
_TRIES: Final = 3
#: How far our clock, set by the server's `Date` of whole seconds, may be behind.
_ROUNDING: Final = timedelta(seconds=1)
_SLOTS: Final = [column.name for column in AVAILABILITY.content].index("slots")


class _Ask(msgspec.Struct, frozen=True):
    """One page of a listing: the offers to ask for, the first that is answered counts."""

    word: str
    offers: Sequence[Offer]


class Horizon:
    """The listings of one pull: the API's own, and those made of many requests.

    Args:
        api: the API.
        store: knows what is offered; its services, staff and locations are pulled before.
        source: the source's name.
        rules: how availability is asked for.
        clock_ahead: seconds that the API's clock is ahead of ours.
    """

    def __init__(
        self,
        api: Listings,
        store: Store,
        source: str,
        rules: HorizonRules,
        clock_ahead: Callable[[], float],
    ) -> None:
        self._api = api
        self._store = store
        self._source = source
        self._rules = rules
        self._clock_ahead = clock_ahead
        self._asks: dict[str, list[_Ask]] = {}

    def record(self, stream: str, key: str) -> Page:
        """One record by id, as a page of one item; NotFound when it is gone."""
        return self._api.record(stream, key)

    def changed_since(self, moment: datetime) -> dict[str, str]:
        """Parameters that list only what changed since; empty where the API cannot do that."""
        return self._api.changed_since(moment)

    def has_by_id(self, stream: str) -> bool:
        """Whether single records of the stream can be asked for."""
        return stream not in MADE and self._api.has_by_id(stream)

    def listing_parameters(self, stream: str, params: Mapping[str, str] | None = None) -> str:
        """What a page token of this listing depends on: with what is asked for, in order."""
        parameters = self._api.listing_parameters(stream, params)
        if stream not in MADE:
            return parameters
        words = [ask.word for ask in self._asks_of(stream)]
        content = msgspec.json.encode((self._rules.days, words))
        return f"{parameters}#{blake2b(content, digest_size=16).hexdigest()}"

    def coverage(self, stream: str, began: datetime) -> Coverage | None:
        """What a listing that is complete now, and began then, covers; None: everything.

        A day counts that every location had before it then and still has. A day that has begun
        is left as it is, but for whether it is a holiday.
        """
        if stream not in MADE:
            return None
        zones = self._zones()
        first = max(today_at(zone, self._now()) for zone in zones)
        last = min(today_at(zone, began) for zone in zones) + timedelta(days=self._rules.days - 1)
        if stream == AVAILABILITY.name:
            first += timedelta(days=1)
        return Coverage(Days(first, last), asked=bool(self._asks_of(stream)))

    def page(
        self,
        stream: str,
        page_token: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Page:
        """One page of a listing.

        Raises:
            NotFound: this API does not offer the stream.
            RequestRefused: it says no to everything that is asked for.
            PageTokenExpired: what is asked for has changed.
            SourceError: as any call.
        """
        if stream not in MADE:
            return self._api.page(stream, page_token, params)
        asks, refused = self._asks_of(stream), list[bytes]()
        for number in range(_position(asks, page_token), len(asks)):
            ask, is_last = asks[number], number + 1 == len(asks)
            page = self._answer(stream, ask)
            if isinstance(page, Page):
                following = None if is_last else asks[number + 1].word
                return _with(
                    page, [*refused, *self._items(stream, ask, page)], page_token, following
                )
            refused.append(refused_item(stream, self._asked(ask.offers[0], self._now()), str(page)))
            services = {each.offers[0].service_id for each in asks[: number + 1]}
            hopeless = len(refused) >= _PATIENCE and len(services) > _TRIES
            if page_token is None and (is_last or hopeless):
                raise page  # not one was answered
        now = self._now()
        return _with(Page([], None, None, now, now, 0), refused, page_token, None)

    def _answer(self, stream: str, ask: _Ask) -> Page | NotFound | RequestRefused:
        """The answer for the first offer that is answered; else the refusal of the last one."""
        for offer in ask.offers:
            try:
                return self._api.page(stream, None, offer.parameters(self._rules.days))
            except NotFound as error:
                refusal: NotFound | RequestRefused = error
            except RequestRefused as error:
                if error.status not in _NO:
                    raise
                refusal = error
        return refusal

    def _items(self, stream: str, ask: _Ask, page: Page) -> list[bytes]:
        answer, asked = read_offered(page), self._asked(ask.offers[0], page.requested_at)
        if stream == AVAILABILITY.name:
            return availability_items(asked, answer, self._begun(asked, page.received_at))
        return holiday_items(asked, answer.holidays or {})

    def _asked(self, offer: Offer, moment: datetime) -> Asked:
        organization_id = self._store.organization(self._source)
        today = today_at(offer.timezone, moment)
        return Asked(offer, today, self._rules.days, organization_id)

    def _begun(self, asked: Asked, moment: datetime) -> list[list[str]]:
        """Today's slots that have begun, as they were last seen."""
        key = day_key(asked.offer.word, asked.today)
        present = self._store.feed.present(self._source, AVAILABILITY.name, [key])
        rows = [change.row for change in present if change.row is not None]
        upto = to_micros(moment + _ROUNDING)
        return [[iso(start), iso(end)] for row in rows for start, end in begun(row[_SLOTS], upto)]

    def _asks_of(self, stream: str) -> list[_Ask]:
        """What is asked for, as it was when this pull first came to it."""
        if stream not in self._asks:
            offers = offers_of(self._store, self._source, by_staff=self._rules.by_staff)
            asks = _by_offer if stream == AVAILABILITY.name else _by_location
            self._asks[stream] = list(asks(offers))
        return self._asks[stream]

    def _zones(self) -> set[str | None]:
        places = places_of(self._store, self._source)
        return {places.at(each).timezone for each in (None, *places.locations)}

    def _now(self) -> datetime:
        """The time by the API's clock."""
        return from_micros(self._store.now()) + timedelta(seconds=self._clock_ahead())


def _by_offer(offers: Sequence[Offer]) -> Iterator[_Ask]:
    for offer in offers:
        yield _Ask(offer.word, [offer])


def _by_location(offers: Sequence[Offer]) -> Iterator[_Ask]:
    """Holidays are a location's: any of its services will tell them."""
    in_order = sorted(offers, key=lambda offer: (offer.location_id or "", offer.word))
    for location_id, group in groupby(in_order, key=lambda offer: offer.location_id):
        services = {offer.service_id: replace(offer, staff_id=None) for offer in group}
        yield _Ask(escaped(location_id), list(services.values())[:_TRIES])


def _position(asks: Sequence[_Ask], page_token: str | None) -> int:
    """Where a listing goes on."""
    if page_token is None:
        return 0
    found = next((at for at, ask in enumerate(asks) if ask.word == page_token), None)
    if found is None:
        raise PageTokenExpired(
            "What the source offers has changed since the listing began.",
            hint="The listing has to start again from its first page.",
        )
    return found


def _with(
    page: Page, items: Sequence[bytes], page_token: str | None, following: str | None
) -> Page:
    raws = [msgspec.Raw(item) for item in items]
    return replace(page, items=raws, token=page_token, next_page_token=following)
