"""Instants, wall clocks and the nights on which clocks change."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.model import to_micros
from zimun_sync.normalize import Place, Places
from zimun_sync.normalize.places import offset_seconds

BERLIN = Places(Place("Europe/Berlin"))


def local(bench: Any, places: Places, time: str, **fields: Any) -> tuple[str, int, str]:
    row = bench(places=places).row(appointment_time=time, **fields)
    return row["local_start"].isoformat(), row["utc_offset_minutes"], row["starts_at"].isoformat()


@pytest.mark.parametrize(
    "time",
    [
        "2026-06-01T09:45:00-05:00",
        "2026-06-01T14:45:00Z",
        "2026-06-01T14:45:00.000000+00:00",
        "2026-06-01T20:15:00+05:30",
        "20260601T144500Z",
        "2026-06-01 14:45+00",
    ],
)
def test_one_instant_in_many_spellings(bench: Any, time: str) -> None:
    row = bench().row(appointment_time=time)

    assert row["starts_at"] == datetime(2026, 6, 1, 14, 45, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-06-01T09:45:00-05:00", ("2026-06-01T09:45:00", -300)),
        ("2026-06-01T09:45:00+05:45", ("2026-06-01T09:45:00", 345)),
        ("2026-06-01T09:45:00Z", ("2026-06-01T09:45:00", 0)),
    ],
)
def test_without_a_zone_the_given_offset_is_the_wall_clock(
    bench: Any, time: str, expected: tuple[str, int]
) -> None:
    assert local(bench, Places(), time)[:2] == expected
    assert bench().row(appointment_time=time)["timezone"] is None


def test_the_location_says_the_zone_else_the_organization(bench: Any) -> None:
    places = Places(
        Place("Europe/Berlin"), {"ny": Place("America/New_York"), "bare": Place(region="US")}
    )
    noon = "2026-06-01T12:00:00Z"

    assert local(bench, places, noon, location_id="ny")[0] == "2026-06-01T08:00:00"
    assert local(bench, places, noon, location_id="bare")[0] == "2026-06-01T14:00:00"
    assert local(bench, places, noon, location_id="unknown")[0] == "2026-06-01T14:00:00"
    assert local(bench, places, noon)[0] == "2026-06-01T14:00:00"


def test_the_local_day_can_be_another_than_the_utc_day(bench: Any) -> None:
    row = bench(places=Places(Place("Pacific/Auckland"))).row(
        appointment_time="2026-06-01T20:00:00Z"
    )

    assert row["local_date"].isoformat() == "2026-06-02"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        # 25 October 2026: 02:00 to 03:00 happens twice.
        ("2026-10-25T00:30:00Z", ("2026-10-25T02:30:00", 120, "2026-10-25T00:30:00+00:00")),
        ("2026-10-25T01:30:00Z", ("2026-10-25T02:30:00", 60, "2026-10-25T01:30:00+00:00")),
        ("2026-10-25T02:30:00+02:00", ("2026-10-25T02:30:00", 120, "2026-10-25T00:30:00+00:00")),
        ("2026-10-25T02:30:00+01:00", ("2026-10-25T02:30:00", 60, "2026-10-25T01:30:00+00:00")),
        # 29 March 2026: 02:00 to 03:00 does not happen.
        ("2026-03-29T00:59:59Z", ("2026-03-29T01:59:59", 60, "2026-03-29T00:59:59+00:00")),
        ("2026-03-29T01:00:00Z", ("2026-03-29T03:00:00", 120, "2026-03-29T01:00:00+00:00")),
        ("2026-03-29T02:30:00+01:00", ("2026-03-29T03:30:00", 120, "2026-03-29T01:30:00+00:00")),
    ],
)
def test_both_nights_on_which_the_clocks_change(
    bench: Any, time: str, expected: tuple[str, int, str]
) -> None:
    assert local(bench, BERLIN, time) == expected


def test_a_duration_is_counted_in_real_minutes_across_a_change(bench: Any) -> None:
    row = bench(places=BERLIN).row(
        appointment_time="2026-03-29T01:30:00+01:00", appointment_duration=60
    )

    assert row["ends_at"] - row["starts_at"] == timedelta(minutes=60)


@pytest.mark.parametrize("stream", ["locations", "organization"])
@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd", "Europe", "a\0b", "é"])
def test_an_unknown_zone_is_refused(bench: Any, stream: str, name: str) -> None:
    code, message = bench(stream).refusal(timezone=name)

    assert (code, message) == ("unknown-timezone", f"There is no time zone {name!r}.")


@pytest.mark.parametrize(
    "fields",
    [
        {"appointment_time": "0001-01-01T00:00:00+01:00"},
        {"appointment_time": "9999-12-31T23:30:00-01:00"},
        {"appointment_time": "9999-12-31T23:30:00Z", "appointment_duration": 31},
        {"created_at": "0001-01-01T00:00:00+00:01"},
    ],
)
@pytest.mark.parametrize("places", [Places(), BERLIN])
def test_times_outside_the_calendar_are_refused(
    bench: Any, places: Places, fields: dict[str, Any]
) -> None:
    assert bench(places=places).refusal(**fields) == (
        "out-of-range",
        "The time is outside the calendar.",
    )


def test_a_wall_clock_outside_the_calendar_is_refused(bench: Any) -> None:
    assert (
        bench(places=BERLIN).refusal(appointment_time="9999-12-31T23:30:00Z")[0] == "out-of-range"
    )


@given(
    zone=st.sampled_from(sorted(available_timezones())),
    instant=st.datetimes(
        datetime(1990, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
        datetime(2037, 12, 31),  # noqa: DTZ001 - as above
        timezones=st.just(UTC),
    ),
)
def test_every_zone_agrees_with_the_standard_library(zone: str, instant: datetime) -> None:
    offset = instant.astimezone(ZoneInfo(zone)).utcoffset()

    assert offset == timedelta(seconds=offset_seconds(zone, to_micros(instant)))


def test_zones_change_only_on_a_whole_minute() -> None:
    """The offset of a minute is remembered as a whole."""
    changes = {zone: _changes(ZoneInfo(zone)) for zone in sorted(available_timezones())}

    assert sum(map(len, changes.values())) > 10_000
    assert {zone for zone, found in changes.items() if any(at % 60 for at in found)} == set()


def test_the_day_of_a_change_is_right_to_the_minute() -> None:
    """The offset of a day is remembered as a whole where it stays the same."""
    for name in sorted(available_timezones())[::20]:
        zone = ZoneInfo(name)
        for change in _changes(zone):
            moments = [change + minutes * 60 for minutes in (-1440, -61, -1, 0, 1, 61, 1440)]
            found = [timedelta(seconds=offset_seconds(name, at * 1_000_000)) for at in moments]
            assert found == [_offset(zone, at) for at in moments], name


OFFSETS = st.timedeltas(timedelta(hours=-23), timedelta(hours=23))
TIMES = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 - Hypothesis adds the zone
    datetime(9999, 12, 29),  # noqa: DTZ001 - as above
    timezones=st.just(UTC)
    | OFFSETS.map(timezone)
    | OFFSETS.map(lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))),
)


@given(start=TIMES, created=TIMES, separator=st.sampled_from("T é"))
def test_every_time_is_the_instant_that_it_says(
    bench: Any, start: datetime, created: datetime, separator: str
) -> None:
    row = bench().row(
        appointment_time=start.isoformat(separator),
        created_at=re.sub(r"\+00:00$", "Z", created.isoformat(separator)),
    )

    assert (row["starts_at"], row["created_at"]) == (start, created)
    offset = timedelta(seconds=int((start.utcoffset() or timedelta()).total_seconds()))
    assert row["local_start"] == start.astimezone(UTC).replace(tzinfo=None) + offset


@pytest.mark.parametrize(
    "ending",
    [
        "z",
        " Z",
        "Z ",
        "+01",
        "+0100",
        "+01:00",
        "+24:00",
        "+1:00",
        "+01:60",
        "-01:00:30",
        "+\uff101:00",
    ],
)
@pytest.mark.parametrize(
    "clock", ["2026-06-01T09:45:00", "20260601T0945+01:00", "2026-06-01T09:45"]
)
def test_an_odd_offset_is_read_as_the_standard_library_does(
    bench: Any, clock: str, ending: str
) -> None:
    given_time = clock + ending
    try:
        expected = datetime.fromisoformat(given_time)
    except ValueError:
        assert bench().refusal(appointment_time=given_time)[0] == "bad-time"
        assert bench().refusal(created_at=given_time)[0] == "bad-time"
        return
    row = bench().row(appointment_time=given_time, created_at=given_time)
    assert row["starts_at"] == row["created_at"] == expected


def _changes(zone: ZoneInfo) -> list[int]:
    """Seconds since the epoch at which the offset changes, 2000 to 2037."""
    found = []
    step = 14 * 86_400
    start = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
    for left in range(start, start + 37 * 366 * 86_400, step):
        low, high = left, left + step
        if _offset(zone, low) == _offset(zone, high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (middle, high) if _offset(zone, middle) == _offset(zone, low) else (low, middle)
            )
        found.append(high)
    return found


def _offset(zone: ZoneInfo, seconds: int) -> timedelta | None:
    return datetime.fromtimestamp(seconds, zone).utcoffset()


def test_the_fingerprint_tells_places_apart() -> None:
    prints = {
        places.fingerprint()
        for places in (
            Places(),
            Places(Place("Europe/Berlin")),
            Places(Place("Europe/Paris")),
            Places(Place(region="DE")),
            Places(locations={"l_1": Place("Europe/Berlin")}),
            Places(locations={"l_2": Place("Europe/Berlin")}),
        )
    }

    assert len(prints) == 6
    one = Places(locations={"a": Place("UTC"), "b": Place("Asia/Tokyo")})
    other = Places(locations={"b": Place("Asia/Tokyo"), "a": Place("UTC")})
    assert one.fingerprint() == other.fingerprint()
