"""When slots come to pass, as APScheduler asks for it, and which one came last."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

from zimun_sync.cron import WallClock, instant, slot_after

#: Slots that come often are looked for in so much of the past only.
_LOOK_BACK: Final = timedelta(days=2)


class SlotTrigger(BaseTrigger):  # type: ignore[misc] # the library has no types
    """Fires for each slot once, as late as jitter wants.

    Args:
        clock: the slots.
        zone: where the clock hangs.
        jitter: most seconds to fire late, by chance; never past half the way to the next slot.
        chance: a number from 0 to 1.
    """

    def __init__(
        self, clock: WallClock, zone: ZoneInfo, jitter: float, chance: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._zone = zone
        self._jitter = jitter
        self._chance = chance

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The first slot after now and the previous one; the name is APScheduler's.

        Slots that passed while the machine slept are not told one by one.
        """
        after = max(previous_fire_time or now, now).astimezone(UTC)
        slot = slot_after(self._clock, self._zone, after)
        at = instant(slot, self._zone)
        room = (instant(self._clock.next_after(slot), self._zone) - at).total_seconds() / 2
        return at + timedelta(seconds=min(self._jitter, max(room, 0)) * self._chance())


def last_slot(
    clock: WallClock, zone: ZoneInfo, now: datetime, after: datetime | None
) -> datetime | None:
    """The latest slot that has come; None if there is none.

    Args:
        clock: the slots.
        zone: where the clock hangs.
        now: aware.
        after: only a later slot counts; None for any of the last two days.
    """
    recent = _wall(now - _LOOK_BACK, zone)
    found = _last_between(clock, zone, max(after or recent, recent), now)
    if found is None and after is not None and after < recent:  # slots that come seldom
        found = _last_between(clock, zone, after, now)
    return found


def minute_of(now: datetime, zone: ZoneInfo) -> datetime:
    """The minute that a clock in the zone shows at an aware moment; stands in for a slot."""
    return _wall(now, zone).replace(second=0, microsecond=0)


def _last_between(
    clock: WallClock, zone: ZoneInfo, after: datetime, now: datetime
) -> datetime | None:
    found, slot = None, clock.next_after(after)
    while instant(slot, zone) <= now:
        found, slot = slot, clock.next_after(slot)
    return found


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)
