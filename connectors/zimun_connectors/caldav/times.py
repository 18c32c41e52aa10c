"""Start and end of an event: instants on the wall clock of a zone, and the zone's own rules."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from icalendar import Calendar, Event, Timezone

_YEARS_BEFORE: Final = 1
_YEARS_AFTER: Final = 5  # a person may let the event recur


def zone_of(name: Any) -> ZoneInfo | None:
    """The IANA zone of that name; None if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError, TypeError):  # a folder, a path, None
        return None


def zone_name(event: Event) -> str | None:
    """The zone that an event's times are told in; `UTC` where they are in UTC.

    The end tells it for a start that cannot be told on the wall clock (see `put_times`).
    """
    names = [_zone_key(moment_of(event, name)) for name in ("DTSTART", "DTEND")]
    zones = [name for name in names if name is not None]
    return next((name for name in zones if name != "UTC"), zones[0] if zones else None)


def start_of(event: Event) -> Any:
    """Its start: an aware datetime; a naive one or a date where somebody made it so."""
    return moment_of(event, "DTSTART")


def end_of(event: Event) -> Any:
    """Its end, be it given as such or as a duration; None where it has none."""
    end = moment_of(event, "DTEND")
    if end is not None:
        return end
    start, length = start_of(event), moment_of(event, "DURATION")
    if isinstance(start, date) and isinstance(length, timedelta):
        return start + length
    return None


def moment_of(event: Event, name: str) -> Any:
    """A property's date, datetime or length; None where it has none that can be read."""
    return getattr(event.get(name), "dt", None)


def instant(moment: Any, zone: ZoneInfo) -> datetime | None:
    """What somebody's start or end means in UTC.

    Args:
        moment: as `start_of` and `end_of` give it.
        zone: whose wall clock counts for a day or a time without a zone.
    """
    if not isinstance(moment, date):
        return None
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    at: datetime = moment.astimezone(UTC)
    return at


def put_times(event: Event, start: datetime, end: datetime | None, zone: ZoneInfo) -> None:
    """Set start and end, told on the wall clock of a zone.

    A wall clock passes the hour before the end of daylight saving twice, and iCalendar means
    the first time; an instant of the second one is written in UTC.
    """
    for name in ("DTSTART", "DTEND", "DURATION"):
        event.pop(name, None)
    event.add("DTSTART", _told(start, zone))
    if end == start:
        event.add("DURATION", timedelta())  # an end has to be after its start
    elif end is not None:
        event.add("DTEND", _told(end, zone))


def put_zones(calendar: Calendar, zone: ZoneInfo, moments: Iterable[datetime]) -> None:
    """Have a calendar explain a zone for the years around some moments."""
    if zone.key not in calendar.get_used_tzids():
        return
    years = [moment.year for moment in moments]
    rules = _rules(zone.key, min(years) - _YEARS_BEFORE, max(years) + _YEARS_AFTER)
    others = [
        each
        for each in calendar.subcomponents
        if not (isinstance(each, Timezone) and each.get("TZID") == zone.key)
    ]
    calendar.subcomponents = [rules, *others]


@lru_cache(maxsize=256)
def _rules(name: str, first: int, last: int) -> Timezone:
    rules = Timezone.from_tzid(name, first_date=date(first, 1, 1), last_date=date(last, 12, 31))
    rules.pop("COMMENT", None)
    return rules


def _told(moment: datetime, zone: ZoneInfo) -> datetime:
    local = moment.astimezone(zone)
    if zone.key == "UTC" or local.fold:
        return moment.astimezone(UTC)
    return local


def _zone_key(moment: Any) -> str | None:
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return None
    key: str | None = getattr(moment.tzinfo, "key", None)
    return "UTC" if moment.tzinfo is UTC else key or moment.tzname()
