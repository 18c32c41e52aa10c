"""What can be booked where and when: lanes, their offers, and a place's days.

Each staff member and each bookable resource is a lane: one after the other, never two at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from zimun_sync.sandbox.world.catalog import WEEKDAYS, Catalog, in_a_room, open_days
from zimun_sync.sandbox.world.stamps import local_stamp

#: Length of a block, seconds.
BLOCK = 90 * 60

_HOUR = 3600
_DISCOUNT = Decimal("0.9")
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Span:
    """The days that have appointments; `today` begins the future."""

    first: date
    today: date
    last: date


def make_span(today: date, appointments: int) -> Span:
    """At least 400 days back, so that both zones change their clocks; more for more records."""
    back = min(1825, max(400, appointments // 100))
    return Span(today - timedelta(days=back), today, today + timedelta(days=60))


def staff_needed(span: Span, appointments: int) -> int:
    """How many people it takes to serve so many appointments, three or four a day each."""
    return max(6, appointments // ((span.last - span.first).days * 3))


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing a lane can be booked for.

    Args:
        place: the JSON members that say where, what, and with whom.
        minutes: its length.
        prices: JSON values of what it may cost, the usual ones more often.
        staff_id: who is busy with it.
        resource_id: what is busy with it.
    """

    place: bytes
    minutes: int
    prices: tuple[bytes, ...]
    staff_id: str | None
    resource_id: str | None

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who and what it keeps busy."""
        return tuple(name for name in (self.staff_id, self.resource_id) if name is not None)


@dataclass(frozen=True, slots=True)
class Lane:
    """A staff member or resource: what it can be booked for, and on which weekdays."""

    offers: tuple[Offer, ...]
    weekdays: frozenset[int]


@dataclass(frozen=True, slots=True)
class Day:
    """An open day of a location.

    Args:
        location_id: the location.
        weekday: 0 is Monday.
        iso: the date, `YYYY-MM-DD`.
        offset: its distance from UTC after the night, `+HH:MM`.
        noon: twelve o'clock on its wall, epoch seconds.
        opens: second of the day of the first block.
        blocks: how many blocks it has.
    """

    location_id: str
    weekday: int
    iso: bytes
    offset: bytes
    noon: int
    opens: int
    blocks: int


class Place:
    """A location's calendar.

    Args:
        location: its JSON object.
        span: which days.
    """

    def __init__(self, location: dict[str, Any], span: Span) -> None:
        self.location_id: str = location["location_id"]
        self._zone = ZoneInfo(location["timezone"])
        self._span = span
        self.days = [self._day(day) for day in open_days(location, span.first, span.last)]
        self.nights = list(self._nights())

    def _day(self, day: date) -> Day:
        noon = datetime.combine(day, time(12), self._zone)
        opens, blocks = (10, 4) if day.weekday() == _SATURDAY else (9, 7)
        return Day(
            self.location_id,
            day.weekday(),
            day.isoformat().encode(),
            noon.isoformat()[-6:].encode(),
            int(noon.timestamp()),
            opens * _HOUR,
            blocks,
        )

    def _nights(self) -> Iterator[tuple[bytes, int]]:
        """Local time and start of bookings half an hour before and after each clock change.

        Where an hour repeats, both show the same wall clock and differ in the offset only.
        """
        for change in self._clock_changes():
            for start in (change - _HOUR // 2, change + _HOUR // 2):
                yield local_stamp(start, self._zone).encode(), start

    def _clock_changes(self) -> Iterator[int]:
        """When clocks are put forward or back: on days that end with another offset."""
        midnight = datetime.combine(self._span.first, time(), UTC)
        for day in range((self._span.last - self._span.first).days):
            begins = midnight + timedelta(days=day)
            if self._offset(begins) != self._offset(begins + timedelta(days=1)):
                yield from self._changes_after(begins)

    def _changes_after(self, midnight: datetime) -> Iterator[int]:
        hours = [midnight + timedelta(hours=hour) for hour in range(25)]
        for before, hour in pairwise(hours):
            if self._offset(before) != self._offset(hour):
                yield int(hour.timestamp())

    def _offset(self, instant: datetime) -> timedelta | None:
        return instant.astimezone(self._zone).utcoffset()


def make_lanes(catalog: Catalog) -> dict[str, list[Lane]]:
    """The lanes of each location; those of resources come last."""
    lanes: dict[str, list[Lane]] = {location_id: [] for location_id in catalog.locations}
    for person in catalog.staff.values():
        lanes[person["location_id"]].append(_staff_lane(catalog, person))
    for resource_id in catalog.bookable:
        resource = catalog.resources[resource_id]
        lanes[resource["location_id"]].append(_resource_lane(resource))
    return lanes


def _staff_lane(catalog: Catalog, person: dict[str, Any]) -> Lane:
    offers = tuple(
        _service_offer(catalog, catalog.services[service_id], person)
        for service_id in person["service_ids"]
    )
    return Lane(offers, frozenset(WEEKDAYS.index(day) for day in person["working_hours"]))


def _service_offer(catalog: Catalog, service: dict[str, Any], person: dict[str, Any]) -> Offer:
    staff_id, service_id = person["staff_id"], service["service_id"]
    room = catalog.rooms[staff_id] if in_a_room(service_id) else None
    price = service["price"]
    usual = msgspec.json.encode(price)
    reduced = (Decimal(price["amount"]) * _DISCOUNT).quantize(Decimal("0.01"))
    prices = (usual,) * 9 + (msgspec.json.encode(price | {"amount": str(reduced)}),)
    place = _members(person["location_id"], service_id, staff_id, room)
    return Offer(place, service["duration"], prices, staff_id, room)


def _resource_lane(resource: dict[str, Any]) -> Lane:
    resource_id = resource["resource_id"]
    place = _members(resource["location_id"], None, None, resource_id)
    prices = (b"null", b'{"amount":"25.00","currency":"EUR"}')
    offers = tuple(Offer(place, minutes, prices, None, resource_id) for minutes in (30, 45, 90, 60))
    return Lane(offers, frozenset(range(6)))


def _members(
    location_id: str, service_id: str | None, staff_id: str | None, resource_id: str | None
) -> bytes:
    members = {
        "location_id": location_id,
        "service_id": service_id,
        "staff_id": staff_id,
        "resource_id": resource_id,
    }
    return msgspec.json.encode(members)[1:-1]
