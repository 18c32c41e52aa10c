"""Times: the wall clock of a zone, its edges, and what people make of an event."""

import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.tz import tzical  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from tests.systems.radicale import PersonsCalendar
from zimun_connectors.caldav import CaldavRemote
from zimun_connectors.caldav.events import Edit, changed, made, values
from zimun_sync.remotes.contract import Done, Item, Kind

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
VIENNA = "Europe/Vienna"


def edit(zone: str | None = None, row_zone: str | None = None, **fields: object) -> Edit:
    if zone is not None:
        fields["timezone"] = zone
    return Edit(fields, {"timezone": row_zone}, NOW, None)


def event_of(text: bytes) -> Any:
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    return event


def told_by_its_own_rules(text: str | bytes, name: str) -> datetime:
    """A time as a program reads it that knows zones only from the calendar itself."""
    plain = text if isinstance(text, str) else text.decode()
    moment = event_of(plain.encode())[name]
    wall = moment.dt.replace(tzinfo=None)
    if "TZID" not in moment.params:
        in_utc: datetime = wall.replace(tzinfo=UTC)
        return in_utc
    zone = tzical(io.StringIO(plain.replace("\r\n", "\n"))).get(moment.params["TZID"])
    read: datetime = wall.replace(tzinfo=zone).astimezone(UTC)
    return read


@pytest.mark.parametrize(
    ("start", "wall_clock"),
    [
        ("2027-03-27T08:00:00Z", "09:00"),  # the day before daylight saving begins
        ("2027-03-28T07:00:00Z", "09:00"),  # the day it begins
        ("2027-10-30T07:00:00Z", "09:00"),  # the day before it ends
        ("2027-10-31T08:00:00Z", "09:00"),  # the day it ends
        ("2027-03-28T01:30:00Z", "03:30"),  # just after the hour that is left out
        ("2027-10-31T00:30:00Z", "02:30"),  # the first of two half past two
    ],
)
def test_a_reschedule_across_an_edge_of_daylight_saving_reads_right_in_the_calendars_own_zone(
    remote: CaldavRemote, calendar: PersonsCalendar, start: str, wall_clock: str
) -> None:
    before = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    length = timedelta(minutes=45)
    fields = {"start": before, "end": before + length, "timezone": VIENNA}
    (created,) = remote.create(Kind.APPOINTMENT, [Item("main/a_1", fields)])
    assert isinstance(created, Done)
    after = datetime.fromisoformat(start)
    moved = {"start": after, "end": after + length}

    remote.update(
        Kind.APPOINTMENT,
        [Item("main/a_1", moved, id=created.id, version=created.version)],
    )

    text = calendar.text(created.id)
    assert event_of(text.encode()).start.strftime("%H:%M") == wall_clock
    assert told_by_its_own_rules(text, "DTSTART") == after
    assert told_by_its_own_rules(text, "DTEND") == after + length


def test_the_hour_that_passes_twice_is_told_in_utc_the_second_time() -> None:
    start = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)  # half past two once more
    text = made("main/a_1", edit(VIENNA, start=start, end=start + timedelta(hours=1)))

    assert b"DTSTART:20271031T013000Z" in text
    assert b"DTEND;TZID=Europe/Vienna:20271031T033000" in text
    assert values(text.decode(), ["start", "timezone"]) == {"start": start, "timezone": VIENNA}


@given(
    start=st.datetimes(
        datetime(2000, 1, 1),  # noqa: DTZ001 - of the zone beside it
        datetime(2037, 12, 31),  # noqa: DTZ001
        timezones=st.just(ZoneInfo("UTC")),
    ),
    minutes=st.integers(0, 600),
    zone=st.sampled_from(
        [VIENNA, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Etc/GMT+5"]
    ),
)
def test_any_instant_is_read_back_as_itself_by_us_and_by_the_calendars_own_rules(
    start: datetime, minutes: int, zone: str
) -> None:
    start = start.replace(microsecond=0)
    end = start + timedelta(minutes=minutes)

    text = made("main/a_1", edit(zone, start=start, end=end))

    assert values(text.decode(), ["start", "end"]) == {"start": start, "end": end}
    assert told_by_its_own_rules(text, "DTSTART") == start


def test_without_a_zone_of_the_appointment_times_are_in_utc() -> None:
    start = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)

    text = made("main/a_1", edit(start=start))

    assert b"DTSTART:20270115T080000Z" in text
    assert b"VTIMEZONE" not in text


@pytest.mark.parametrize("zone", ["Moon/Crater", "../etc/passwd", "", "Europe"])
def test_a_zone_that_nobody_knows_counts_as_none(zone: str) -> None:
    text = made("main/a_1", edit(zone, start=datetime(2027, 1, 15, 8, 0, tzinfo=UTC)))

    assert b"DTSTART:20270115T080000Z" in text


def test_another_zone_tells_the_same_instants_on_its_own_clock() -> None:
    start = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    text = made("main/a_1", edit(VIENNA, start=start, end=start + timedelta(hours=1)))

    moved = changed(text.decode(), edit("America/New_York"))

    assert b"DTSTART;TZID=America/New_York:20270115T030000" in moved
    assert values(moved.decode(), ["start"]) == {"start": start}


@pytest.mark.parametrize(
    ("day", "read"),
    [
        ("DTSTART;VALUE=DATE:20270115", date(2027, 1, 15)),
        ("DTSTART:20270115T090000", datetime(2027, 1, 15, 9, 0)),  # noqa: DTZ001 - a floating time
    ],
)
def test_an_event_that_a_person_made_a_day_or_floating_is_told_as_it_is_and_can_be_moved(
    day: str, read: object
) -> None:
    start = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    text = made("main/a_1", edit(start=start)).decode().replace("DTSTART:20270115T080000Z", day)

    assert values(text, ["start"]) == {"start": read}

    moved = changed(text, edit(row_zone=VIENNA, end=start + timedelta(hours=3)))
    assert values(moved.decode(), ["end"]) == {"end": start + timedelta(hours=3)}
    assert told_by_its_own_rules(moved, "DTSTART").tzinfo is UTC


def test_a_length_that_a_program_wrote_in_place_of_the_end_counts_as_the_end() -> None:
    start = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    text = made("main/a_1", edit(VIENNA, start=start, end=start + timedelta(minutes=45)))
    rewritten = text.decode().replace("DTEND;TZID=Europe/Vienna:20270115T094500", "DURATION:PT45M")

    assert values(rewritten, ["end"]) == {"end": start + timedelta(minutes=45)}
    moved = changed(rewritten, edit(start=start + timedelta(minutes=15)))
    assert values(moved.decode(), ["end"]) == {"end": start + timedelta(minutes=45)}


def test_a_start_moved_beyond_a_persons_end_keeps_the_events_length() -> None:
    start = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    text = made("main/a_1", edit(VIENNA, start=start, end=start + timedelta(minutes=45)))

    moved = changed(text.decode(), edit(start=start + timedelta(days=1)))

    assert values(moved.decode(), ["end"]) == {"end": start + timedelta(days=1, minutes=45)}


def test_of_an_event_that_a_person_let_recur_single_dates_stay_as_they_are() -> None:
    start = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    text = made("main/a_1", edit(VIENNA, start=start, summary="Colour")).decode()
    body = text.partition("BEGIN:VEVENT")[2].partition("END:VEVENT")[0]
    single = (
        body.replace("Colour", "Moved") + "RECURRENCE-ID;TZID=Europe/Vienna:20270122T090000\r\n"
    )
    series = text.replace(
        "END:VEVENT",
        f"RRULE:FREQ=WEEKLY;COUNT=3\r\nEND:VEVENT\r\nBEGIN:VEVENT{single}END:VEVENT",
    )

    renamed = changed(series, edit(summary="Haircut"))

    first, second = Calendar.from_ical(renamed).walk("VEVENT")
    assert (str(first["SUMMARY"]), str(second["SUMMARY"])) == ("Haircut", "Moved")
    assert "RRULE" in first
