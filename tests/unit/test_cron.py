"""Cron expressions on the wall clock, and when their slots come to pass."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from zimun_sync.cron import WallClock, instant

BERLIN = ZoneInfo("Europe/Berlin")


def slots(expression: str, after: datetime, count: int) -> list[datetime]:
    clock, found = WallClock(expression), [after]
    for _ in range(count):
        found.append(clock.next_after(found[-1]))
    return found[1:]


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("0", {"Sun"}),
        ("7", {"Sun"}),
        ("1-5", {"Mon", "Tue", "Wed", "Thu", "Fri"}),
        ("5-7", {"Fri", "Sat", "Sun"}),
        ("fri-mon", {"Fri", "Sat", "Sun", "Mon"}),
        ("*/2", {"Sun", "Tue", "Thu", "Sat"}),
        ("tue,6", {"Tue", "Sat"}),
        ("*", {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}),
    ],
)
def test_weekdays_count_as_in_a_crontab(weekdays: str, expected: set[str]) -> None:
    found = slots(f"0 4 * * {weekdays}", datetime.fromisoformat("2026-11-21"), 14)
    assert {f"{slot:%a}" for slot in found} == expected


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("30 2 * *", "five cron fields"),
        ("99 2 * * *", "no cron expression"),
        ("0 4 * * xyz", "no weekdays"),
        ("0 4 1 * mon", "not both"),
        ("0 0 31 2 *", "never comes"),
    ],
)
def test_what_is_no_schedule_is_refused(expression: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        WallClock(expression)


@pytest.mark.parametrize(
    ("slot", "utc"),
    [
        ("2026-07-01 02:30", "2026-07-01 00:30"),
        ("2026-03-29 02:30", "2026-03-29 01:30"),  # skipped: the clock shows 03:30 instead
        ("2026-10-25 02:30", "2026-10-25 00:30"),  # shown twice: the first time counts
    ],
)
def test_a_slot_comes_once_through_daylight_saving(slot: str, utc: str) -> None:
    come = instant(datetime.fromisoformat(slot), BERLIN)
    assert come == datetime.fromisoformat(f"{utc}+00:00")


def test_a_year_has_a_slot_a_date() -> None:
    found = slots("30 2 * * *", datetime.fromisoformat("2026-01-01"), 365)
    assert len({slot.date() for slot in found}) == 365
    assert all(a < b for a, b in pairwise(instant(slot, BERLIN) for slot in found))
