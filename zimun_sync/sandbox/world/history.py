"""Years of appointments of an invented business, the same for the same seed.

A lane's open days are cut into blocks of 90 minutes and a block holds at most one appointment,
so that no two of a lane ever overlap.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from itertools import zip_longest
from random import Random
from typing import NamedTuple

import msgspec

from zimun_sync.sandbox.world.catalog import ORGANIZATION_ID, Catalog
from zimun_sync.sandbox.world.lanes import BLOCK, Day, Lane, Offer, Place, Span, make_lanes
from zimun_sync.sandbox.world.people import NOTES
from zimun_sync.sandbox.world.stamps import clock_faces, utc_stamp

Table = tuple[tuple[float, bytes, bytes], ...]

_NOON, _DAY = 12 * 3600, 86_400
_NOTED = 0.12  # the share of appointments with a note

#: Odd steps through a space of powers of two: identifiers look random and never repeat.
_KEY_STEP, _KEY_SPACE = 0x9E3779B97F4A7C15, 2**40
_CODE_STEP, _CODE_SPACE = 0x9E3779B1, 2**32

_RECORD = (
    b'{"appointment_id":"%s","organization_id":"' + ORGANIZATION_ID.encode() + b'",%s,'
    b'"appointment_time":"%s","appointment_duration":%d,"status":"%s",%s,"notes":%s,'
    b'"price":%s,"created_at":"%s","updated_at":"%s","booking_code":"%08X",%s}'
)

#: Upper bound of the chance, status, and the fields nobody promised.
_PAST: Table = (
    (0.80, b"completed", b'"attendance":"attended","rsvp":"yes"'),
    (0.87, b"no_show", b'"attendance":"missed","rsvp":null'),
    (0.98, b"cancelled", b'"attendance":null,"rsvp":"no"'),
    (1.00, b"checked_in", b'"attendance":"attended","rsvp":"yes"'),
)
_FUTURE: Table = (
    (0.58, b"confirmed", b'"attendance":null,"rsvp":"yes"'),
    (0.83, b"scheduled", b'"attendance":null,"rsvp":null'),
    (0.90, b"held", b'"attendance":null,"rsvp":null'),
    (1.00, b"cancelled", b'"attendance":null,"rsvp":"no"'),
)


class Made(NamedTuple):
    """A generated appointment and what the world needs to know of it; times in epoch seconds."""

    key: str
    item: bytes
    updated: int
    start: int
    minutes: int
    busy: bool
    offer: Offer


class History:
    """Generates appointments.

    Args:
        catalog: the business.
        contacts: JSON members of the customers; the first ones come most often.
        span: which days.
        rng: where the variety comes from.
    """

    def __init__(
        self, catalog: Catalog, contacts: Sequence[bytes], span: Span, rng: Random
    ) -> None:
        self._lanes = make_lanes(catalog)
        self._places = [Place(location, span) for location in catalog.locations.values()]
        self._contacts = contacts
        self._notes = [msgspec.json.encode(note) for note in NOTES]
        self._random = rng.random
        self._now = int(datetime.combine(span.today, time(), UTC).timestamp())
        self._number = 0

    def appointments(self, count: int) -> Iterator[Made]:
        """Exactly `count` appointments: day by day, then those of nights that change the clock."""
        nights = self._nights()[:count]
        shifts = self._shifts()
        share = (count - len(nights)) / sum(weight for *_, weight in shifts)
        owed = 0.5  # halves are rounded up, so that the sum comes out at the count
        for lane, day, weight in shifts:
            owed += weight * share
            booked = min(int(owed), day.blocks)
            owed -= booked
            yield from self._shift(lane, day, booked)
        for lane, stamp, start in nights:
            yield self._make(lane.offers[-1], stamp, start)

    def _shifts(self) -> list[tuple[Lane, Day, float]]:
        """Each lane's working days with how much is going on then."""
        return [
            (lane, day, day.blocks * (0.65 + 0.7 * self._random()))
            for days in zip_longest(*(place.days for place in self._places))
            for day in days
            if day
            for lane in self._lanes[day.location_id]
            if day.weekday in lane.weekdays
        ]

    def _nights(self) -> list[tuple[Lane, bytes, int]]:
        return [
            (self._lanes[place.location_id][-1], stamp, start)
            for place in self._places
            for stamp, start in place.nights
        ]

    def _shift(self, lane: Lane, day: Day, booked: int) -> Iterator[Made]:
        random, faces = self._random, clock_faces()
        free = list(range(day.blocks))
        for _ in range(booked):
            block = free.pop(int(random() * len(free)))
            offer = lane.offers[int(random() * len(lane.offers))]
            slack = (BLOCK - offer.minutes * 60) // 300 + 1
            second = day.opens + block * BLOCK + int(random() * slack) * 300
            stamp = b"%sT%s%s" % (day.iso, faces[second], day.offset)
            yield self._make(offer, stamp, day.noon - _NOON + second)

    def _make(self, offer: Offer, stamp: bytes, start: int) -> Made:
        random = self._random
        number = self._number = self._number + 1
        key = f"a_{number * _KEY_STEP % _KEY_SPACE:010x}"
        past = start < self._now
        status, unpromised = _draw(_PAST if past else _FUTURE, random())
        created = min(start, self._now) - 3600 - int(random() ** 2 * 40 * _DAY)
        updated = self._changed(created, start, offer.minutes, status)
        item = _RECORD % (
            key.encode(),
            offer.place,
            stamp,
            offer.minutes,
            status,
            self._contacts[int(random() ** 2 * len(self._contacts))],
            self._notes[int(random() * len(self._notes))] if random() < _NOTED else b"null",
            offer.prices[int(random() * len(offer.prices))],
            utc_stamp(created),
            utc_stamp(updated),
            number * _CODE_STEP % _CODE_SPACE,
            unpromised,
        )
        busy = not past and status != b"cancelled"
        return Made(key, item, updated, start, offer.minutes, busy, offer)

    def _changed(self, created: int, start: int, minutes: int, status: bytes) -> int:
        if start < self._now and status != b"cancelled":
            return min(self._now, start + minutes * 60 + int(self._random() * 7200))
        return created + int(self._random() * (min(start, self._now) - created))


def _draw(table: Table, chance: float) -> tuple[bytes, bytes]:
    for bound, status, unpromised in table:
        if chance < bound:
            return status, unpromised
    return table[0][1:]
