"""What follows from a row's plain columns: times at the place, a canonical status, E.164.

A finisher of a stream's rows changes a row in place and raises RecordInvalid where it lacks what
every record of its stream has.
"""

from collections.abc import Callable
from datetime import datetime
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
    to_micros,
)
from zimun_sync.normalize import slots, values
from zimun_sync.normalize.places import Place, Places, offset_seconds, phone, zone
from zimun_sync.normalize.rules import Rules

#: Fills the columns of a row that are worked out from others.
Finish = Callable[[list[Any]], None]

STATUSES: Final = frozenset(
    {"held", "scheduled", "confirmed", "completed", "no_show", "cancelled"}
)
_SPELLINGS: Final = {"canceled": "cancelled", "noshow": "no_show"}
_MOST_STATUSES: Final = 1024
_SECOND, _MINUTE, _DAY = 1_000_000, 60_000_000, 86_400_000_000


def finisher(stream: Stream, rules: Rules, places: Places) -> Finish:
    """What finishes a stream's rows."""
    match stream.name:
        case APPOINTMENTS.name:
            return _Appointments(rules, places)
        case STAFF.name:
            return _phones(STAFF, rules, places)
        case LOCATIONS.name:
            return _locations(rules, places)
        case ORGANIZATION.name:
            return _known_zone(columns_of(ORGANIZATION)["timezone"])
        case AVAILABILITY.name:
            return _days(AVAILABILITY, slots.count_slots)
        case HOLIDAYS.name:
            return _days(HOLIDAYS, slots.require_day)
        case _:
            return _nothing


def columns_of(stream: Stream) -> dict[str, int]:
    """Indexes of a stream's content columns, by name."""
    return {column.name: index for index, column in enumerate(stream.content)}


_AT = columns_of(APPOINTMENTS)
_LOCATION, _STATUS, _SOURCE_STATUS = _AT["location_id"], _AT["status"], _AT["source_status"]
_STARTS_AT, _ENDS_AT, _DURATION = _AT["starts_at"], _AT["ends_at"], _AT["duration_minutes"]
_LOCAL_START, _LOCAL_DATE = _AT["local_start"], _AT["local_date"]
_TIMEZONE, _OFFSET, _PHONE = _AT["timezone"], _AT["utc_offset_minutes"], _AT["contact_phone"]


class _Appointments:
    """Times, status and telephone number of appointments."""

    def __init__(self, rules: Rules, places: Places) -> None:
        self._statuses = rules.statuses
        self._region = rules.phone_region
        self._elsewhere = places.at(None)
        self._places = {location: places.at(location) for location in places.locations}
        self._status = lru_cache(_MOST_STATUSES)(self._canonical_status)

    def __call__(self, row: list[Any]) -> None:
        start: datetime | None = row[_STARTS_AT]
        if start is None:
            raise RecordInvalid("missing-time", "The appointment has no start time.")
        place = self._places.get(row[_LOCATION], self._elsewhere)
        _set_times(row, start, place.timezone)
        row[_STATUS] = self._status(row[_SOURCE_STATUS])
        if row[_PHONE]:
            row[_PHONE] = phone(row[_PHONE], place.region or self._region)

    def _canonical_status(self, given: str | None) -> str | None:
        if given is None:
            return None
        chosen = self._statuses.get(given)
        if chosen is not None:
            return chosen
        word = given.strip().lower().replace("-", "_").replace(" ", "_")
        word = _SPELLINGS.get(word, word)
        return word if word in STATUSES else "other"


def _set_times(row: list[Any], start: datetime, timezone: str | None) -> None:
    micros = values.within_calendar(to_micros(start))
    if timezone is None:
        given = start.utcoffset()
        offset = 0 if given is None else int(given.total_seconds())
    else:
        offset = offset_seconds(timezone, micros)
    local = micros + offset * _SECOND
    row[_STARTS_AT] = micros
    row[_TIMEZONE] = timezone
    row[_OFFSET] = offset // 60
    row[_LOCAL_START] = local
    row[_LOCAL_DATE] = local // _DAY
    duration = row[_DURATION]
    if duration is not None:
        row[_ENDS_AT] = values.within_calendar(micros + duration * _MINUTE)


def _nothing(row: list[Any]) -> None:
    """Streams without derived columns."""


def _phones(stream: Stream, rules: Rules, places: Places) -> Finish:
    at = columns_of(stream)
    location, number = at["location_id"], at["phone"]

    def finish(row: list[Any]) -> None:
        if row[number]:
            region = places.at(row[location]).region or rules.phone_region
            row[number] = phone(row[number], region)

    return finish


def _known_zone(column: int) -> Finish:
    def finish(row: list[Any]) -> None:
        if row[column] is not None:
            zone(row[column])

    return finish


def _locations(rules: Rules, places: Places) -> Finish:
    check_zone = _known_zone(columns_of(LOCATIONS)["timezone"])
    set_phone = _phones(LOCATIONS, rules, places)

    def finish(row: list[Any]) -> None:
        check_zone(row)
        set_phone(row)

    return finish


def _days(stream: Stream, finish_day: Callable[[dict[str, Any]], None]) -> Finish:
    names = [column.name for column in stream.content]

    def finish(row: list[Any]) -> None:
        filled = dict(zip(names, row, strict=True))
        finish_day(filled)
        row[:] = filled.values()

    return finish
