"""When the next run is due, through both nights on which a clock is changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.config.serving import ScheduleSettings
from zimun_sync.cron import WallClock, instant
from zimun_sync.status import next_after, next_runs

BERLIN = "Europe/Berlin"
NIGHTLY = "30 2 * * *"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-20T00:00", "2026-11-20T01:30"),
        ("2026-11-20T01:30", "2026-11-21T01:30"),
        # 2026-03-29: 02:30 does not come; its run comes an hour later on the clock
        ("2026-03-29T00:00", "2026-03-29T01:30"),
        ("2026-03-29T01:15", "2026-03-29T01:30"),
        ("2026-03-29T01:30", "2026-03-30T00:30"),
        # 2026-10-25: 02:30 comes twice; the run comes the first time
        ("2026-10-25T00:00", "2026-10-25T00:30"),
        ("2026-10-25T00:45", "2026-10-26T01:30"),
        ("2026-10-25T01:15", "2026-10-26T01:30"),
    ],
)
def test_the_nightly_run_in_berlin(now: str, due: str) -> None:
    assert next_after(NIGHTLY, BERLIN, utc(now)) == utc(due)


def test_reconciling_may_be_off() -> None:
    now = utc("2026-11-20T12:00")
    schedule = next_runs(ScheduleSettings(timezone=BERLIN), now)
    assert schedule.next_pull == utc("2026-11-21T01:30")
    assert schedule.next_reconcile == utc("2026-11-22T03:00")
    assert next_runs(ScheduleSettings(reconcile=None), now).next_reconcile is None


@given(
    st.sampled_from([NIGHTLY, "0 * * * *", "15 3 * * sun", "*/20 1-3 * * *", "0 0 1 * *"]),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001 - naive bounds
)
def test_no_slot_is_passed_over(expression: str, zone: str, naive: datetime) -> None:
    now = naive.replace(tzinfo=UTC)
    due = next_after(expression, zone, now)
    clock, place = WallClock(expression), ZoneInfo(zone)
    slot = clock.next_after(naive - timedelta(days=40))
    coming: list[datetime] = []
    while len(coming) < 3:
        coming += [instant(slot, place)] if instant(slot, place) > now else []
        slot = clock.next_after(slot)
    assert due == min(coming)
