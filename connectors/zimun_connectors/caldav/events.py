"""One appointment as an iCalendar event: made, changed in place, and read by field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from zimun_connectors.caldav.properties import TIMES, Unfit, put, value_of
from zimun_connectors.caldav.times import (
    end_of,
    instant,
    put_times,
    put_zones,
    start_of,
    zone_name,
    zone_of,
)

#: Property that tells which appointment an event was made from.
KEY_PROPERTY: Final = "X-ZIMUN-KEY"

_NAMESPACE: Final = UUID("6f0a1d0e-4a0b-5d5c-9a53-0d7f6b0c8a11")
_PRODUCT: Final = "-//zimun-sync//CalDAV//EN"
_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Edit:
    """What to write into an event.

    Args:
        fields: values by field name; None empties a field.
        row: what is known of the appointment; its time zone is used where no field gives one.
        now: aware.
        agent: who invites a customer written as attendee (SCHEDULE-AGENT); None: the server.
    """

    fields: Mapping[str, Any]
    row: Mapping[str, Any]
    now: datetime
    agent: str | None


def uid_of(key: str) -> str:
    """The UID of the event made from an appointment, the same for ever."""
    return str(uuid5(_NAMESPACE, key))


def made(key: str, edit: Edit) -> bytes:
    """A new event as iCalendar text.

    Args:
        key: our key of the appointment.
        edit: its content.

    Raises:
        Unfit: a value does not fit an event.
    """
    calendar, event = Calendar(), Event()
    calendar.add("PRODID", _PRODUCT)
    calendar.add("VERSION", "2.0")
    calendar.add_component(event)
    event.add("UID", uid_of(key))
    event.add("CREATED", _stamp(edit))
    event.add("SEQUENCE", 0)
    event.add(KEY_PROPERTY, key)
    return _written(calendar, event, edit)


def changed(text: str, edit: Edit) -> bytes:
    """An event with some fields set anew and all else as it was.

    Raises:
        Unfit: a value does not fit, or the event cannot be read.
    """
    calendar, event = _parsed(text)
    following = _sequence(event) + 1
    event.pop("SEQUENCE", None)
    event.add("SEQUENCE", following)
    return _written(calendar, event, edit)


def values(text: str | None, fields: Sequence[str]) -> dict[str, Any]:
    """Present values of an event's fields; None for all of one that cannot be read."""
    try:
        _, event = _parsed(text or "")
    except Unfit:
        return dict.fromkeys(fields)
    return {name: _value(event, name) for name in fields}


def _value(event: Event, name: str) -> Any:
    match name:
        case "start":
            return start_of(event)
        case "end":
            return end_of(event)
        case "timezone":
            return zone_name(event)
        case _:
            return value_of(event, name)


def _parsed(text: str) -> tuple[Calendar, Event]:
    try:
        calendar = Calendar.from_ical(text)
    except (ValueError, LookupError) as error:
        raise Unfit("unreadable-event", f"The event there cannot be read: {error}") from error
    # Those with a RECURRENCE-ID are single dates of an event that somebody let recur.
    events = [
        each
        for each in calendar.walk("VEVENT")
        if isinstance(each, Event) and "RECURRENCE-ID" not in each
    ]
    if not events:
        raise Unfit("unreadable-event", "What is there under its address is not an event.")
    return calendar, events[0]


def _written(calendar: Calendar, event: Event, edit: Edit) -> bytes:
    for name in edit.fields.keys() - TIMES:
        put(event, name, edit.fields[name], edit.agent)
    if edit.fields.keys() & TIMES or "DTSTART" not in event:
        _put_times(calendar, event, edit)
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        event.pop(name, None)
        event.add(name, _stamp(edit))
    text: bytes = calendar.to_ical()
    return text


def _put_times(calendar: Calendar, event: Event, edit: Edit) -> None:
    zone = _zone(event, edit)
    before, until = instant(start_of(event), zone), instant(end_of(event), zone)
    start = _given(edit, "start") if "start" in edit.fields else before
    end = _given(edit, "end") if "end" in edit.fields else until
    if start is None:
        raise Unfit("missing-start", "An event needs a start.")
    if "end" not in edit.fields and before and until and until < start:
        end = start + (until - before)  # a person's end, of which we know nothing
    if end is not None and end < start:
        raise Unfit("invalid-end", "The appointment ends before it starts.")
    put_times(event, start, end, zone)
    put_zones(calendar, zone, (start, end or start))


def _zone(event: Event, edit: Edit) -> ZoneInfo:
    if "timezone" in edit.fields:
        return zone_of(edit.fields["timezone"]) or _UTC
    present = zone_of(zone_name(event))
    if present is None or present == _UTC:
        return zone_of(edit.row.get("timezone")) or _UTC
    return present


def _given(edit: Edit, name: str) -> datetime | None:
    value = edit.fields[name]
    if value is None or (isinstance(value, datetime) and value.tzinfo is not None):
        return value
    raise Unfit(f"invalid-{name}", f"`{name}` should be an instant such as `starts_at`.")


def _stamp(edit: Edit) -> datetime:
    return edit.now.astimezone(UTC).replace(microsecond=0)


def _sequence(event: Event) -> int:
    try:
        return int(event.get("SEQUENCE", 0))
    except (TypeError, ValueError):  # another program wrote nonsense
        return 0
