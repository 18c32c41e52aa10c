"""What holds for every zone, every slot and every moment at which the clock is looked at."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tests.daemon.clockwork import BERLIN
from zimun_sync.cron import WallClock, instant, slot_after
from zimun_sync.daemon.trigger import SlotTrigger, last_slot

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")


@given(
    zone=st.sampled_from(ZONES),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    day=st.integers(0, 2500),
)
def test_every_date_has_one_run_wherever_the_clock_hangs(
    zone: str, minute: int, hour: int, day: int
) -> None:
    place, clock = ZoneInfo(zone), WallClock(f"{minute} {hour} * * *")
    moment, dates = datetime(2024, 1, 1, 5, 17, tzinfo=UTC) + timedelta(days=day), []
    for _ in range(40):
        slot = slot_after(clock, place, moment)
        moment = instant(slot, place)
        dates.append(slot.date())
    assert dates == [dates[0] + timedelta(days=day) for day in range(40)]


@given(
    zone=st.sampled_from(ZONES),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    hours=st.integers(0, 60_000),
    steps=st.lists(st.integers(1, 60 * 60), min_size=1, max_size=30),
)
def test_whenever_it_is_looked_a_date_is_taken_once_and_none_is_left(
    zone: str, minute: int, hour: int, hours: int, steps: list[int]
) -> None:
    """As a schedule looks: at odd times, with pauses of up to 60 hours."""
    place, clock = ZoneInfo(zone), WallClock(f"{minute} {hour} * * *")
    now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    taken = last_slot(clock, place, now, None)
    assert taken is not None
    for step in steps:
        now += timedelta(minutes=step)
        found = last_slot(clock, place, now, taken)
        assert found is None or found.date() > taken.date()
        taken = found or taken
        assert instant(taken, place) <= now < instant(clock.next_after(taken), place)


@given(minute=st.integers(0, 59), jitter=st.floats(0, 1e6), chance=st.floats(0, 1))
def test_chance_makes_a_slot_late_but_never_early_and_never_as_late_as_the_next(
    minute: int, jitter: float, chance: float
) -> None:
    clock = WallClock(f"{minute} * * * *")
    trigger = SlotTrigger(clock, BERLIN, jitter, lambda: chance)
    slot, fires = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
    for _ in range(40):
        slot = slot_after(clock, BERLIN, slot)
        came, fires = instant(slot, BERLIN), trigger.get_next_fire_time(fires, fires)
        assert came <= fires <= came + timedelta(seconds=min(jitter, 1800))
        slot = came


def test_slots_that_passed_meanwhile_are_not_told_one_by_one() -> None:
    trigger = SlotTrigger(WallClock("*/5 * * * *"), BERLIN, 0.0, lambda: 0.0)
    before = datetime(2026, 1, 1, tzinfo=UTC)
    fires = trigger.get_next_fire_time(before, datetime(2026, 11, 20, 3, 2, tzinfo=UTC))
    assert fires == datetime(2026, 11, 20, 3, 5, tzinfo=UTC)


def test_a_slot_does_not_come_again_when_the_clock_is_set_back() -> None:
    trigger = SlotTrigger(WallClock("30 2 * * *"), ZoneInfo("UTC"), 0.0, lambda: 0.0)
    slot = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
    fires = trigger.get_next_fire_time(slot, slot - timedelta(minutes=10))
    assert fires == slot + timedelta(days=1)
