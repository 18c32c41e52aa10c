"""What follows from plain columns: times at the place, a canonical status, E.164.

A finisher gets the columns of a batch and returns those that it fills or changes. It raises
RecordInvalid for the first record that lacks what every record of its stream has.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import (
    APPOINTMENTS,
    AVAILABILITY,
    HOLIDAYS,
    LOCATIONS,
    ORGANIZATION,
    STAFF,
    Stream,
)
from zimun_sync.normalize import slots, times
from zimun_sync.normalize.batches import Batch, Failures, Values, attempt
from zimun_sync.normalize.places import Places, country_of, offset_seconds, phone, zone
from zimun_sync.normalize.rules import Rules

Columns = Mapping[str, Values]
Finish = Callable[[Columns], dict[str, Values]]

STATUSES: Final = frozenset({"held", "scheduled", "confirmed", "completed", "no_show", "cancelled"})
_SPELLINGS: Final = {"canceled": "cancelled", "noshow": "no_show"}
_MOST_STATUSES: Final = 1024
_SECOND, _MINUTE, _DAY = 1_000_000, 60_000_000, 86_400_000_000


def finisher_of(stream: Stream, rules: Rules, places: Places) -> Finish:
    """What finishes a stream's rows."""
    at = _At(rules, places)
    finishers: dict[str, Finish] = {
        APPOINTMENTS.name: _Appointments(rules, at),
        STAFF.name: lambda columns: {"phone": at.phones(columns, "phone")},
        LOCATIONS.name: lambda columns: _zones(columns) | {"phone": at.own_phones(columns)},
        ORGANIZATION.name: _zones,
        AVAILABILITY.name: _slots,
        HOLIDAYS.name: _days,
    }
    return finishers.get(stream.name, lambda _columns: {})


def finish(batch: Batch, finisher: Finish) -> None:
    """Fill columns that follow from others; records that the finisher does not take are refused."""
    try:
        found = finisher(batch.columns) if batch.numbers else {}
    except RecordInvalid:
        failures: Failures = {}
        attempt(lambda each: finisher(batch.at(each)), range(len(batch.numbers)), failures)
        batch.refuse(failures)
        finish(batch, finisher)
    else:
        batch.columns |= found


class _At:
    """Zone and region at each place."""

    def __init__(self, rules: Rules, places: Places) -> None:
        def told(location: str | None) -> tuple[str | None, str | None]:
            place = places.at(location)
            return place.timezone, place.region or rules.phone_region

        self._elsewhere = told(None)
        self._places: dict[str | None, tuple[str | None, str | None]] = {
            location: told(location) for location in places.locations
        }

    def zones(self, columns: Columns) -> list[str | None]:
        """Zones of records, by their locations."""
        get, elsewhere = self._places.get, self._elsewhere
        return [get(location, elsewhere)[0] for location in columns["location_id"]]

    def phones(self, columns: Columns, column: str) -> Values:
        """A column of telephone numbers, in E.164 where it can be told."""
        get, elsewhere = self._places.get, self._elsewhere
        return [
            number and phone(number, get(location, elsewhere)[1])
            for number, location in zip(columns[column], columns["location_id"], strict=True)
        ]

    def own_phones(self, columns: Columns) -> Values:
        """Telephone numbers of locations: each address tells the country, known before or not."""
        return [
            number and phone(number, country_of(address) or self._elsewhere[1])
            for number, address in zip(columns["phone"], columns["address"], strict=True)
        ]


class _Appointments:
    """Times, status and telephone number of appointments."""

    def __init__(self, rules: Rules, at: _At) -> None:
        self._statuses = rules.statuses
        self._status = lru_cache(_MOST_STATUSES)(self._canonical_status)
        self._at = at

    def __call__(self, columns: Columns) -> dict[str, Values]:
        if None in columns["starts_at"]:
            raise RecordInvalid("missing-time", "The appointment has no start time.")
        return _times(columns, self._at.zones(columns)) | {
            "status": list(map(self._status, columns["source_status"])),
            "contact_phone": self._at.phones(columns, "contact_phone"),
        }

    def _canonical_status(self, given: str | None) -> str | None:
        if given is None:
            return None
        chosen = self._statuses.get(given)
        if chosen is not None:
            return chosen
        word = given.strip().lower().replace("-", "_").replace(" ", "_")
        word = _SPELLINGS.get(word, word)
        return word if word in STATUSES else "other"


def _times(columns: Columns, zones: list[str | None]) -> dict[str, Values]:
    """Where every appointment has a start: when it is, there and everywhere."""
    starts = [start for start, _ in columns["starts_at"]]
    times.require_calendar(starts)
    offsets = [
        offset if zone is None else offset_seconds(zone, start)
        for (start, offset), zone in zip(columns["starts_at"], zones, strict=True)
    ]
    local = [start + offset * _SECOND for start, offset in zip(starts, offsets, strict=True)]
    lengths = zip(starts, columns["duration_minutes"], strict=True)
    ends = [None if length is None else start + length * _MINUTE for start, length in lengths]
    times.require_calendar(ends)
    return {
        "starts_at": starts,
        "ends_at": ends,
        "local_start": local,
        "local_date": [each // _DAY for each in local],
        "timezone": zones,
        "utc_offset_minutes": [offset // 60 for offset in offsets],
    }


def _zones(columns: Columns) -> dict[str, Values]:
    for name in columns["timezone"]:
        if name is not None:
            zone(name)
    return {}


def _days(columns: Columns) -> dict[str, Values]:
    for day in columns["date"]:
        slots.require_day({"date": day})
    return {}


def _slots(columns: Columns) -> dict[str, Values]:
    filled: list[dict[str, Any]] = [
        {"date": day, "slots": found}
        for day, found in zip(columns["date"], columns["slots"], strict=True)
    ]
    for each in filled:
        slots.count_slots(each)
    return _columns(filled, ("slots", "slot_count", "free_minutes"))


def _columns(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> dict[str, Values]:
    return {name: [row[name] for row in rows] for name in names}
