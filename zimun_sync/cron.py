"""Cron expressions on a wall clock that knows no daylight saving: each one names slots.

A slot is a naive date and time. When it comes to pass in a time zone is told by `instant`:
a slot that the clock skips comes as much later as it skips, one that it shows twice comes once.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = rf"[0-7]|{'|'.join(_DAYS)}"
_WEEKDAYS = re.compile(rf"(?P<first>{_DAY})(?:-(?P<last>{_DAY})(?:/(?P<step>[1-7]))?)?")
_FIELDS = 5
#: A slot that the clock skips comes later by as much; no zone skips more at a time.
_MOST_SKIPPED = timedelta(hours=3)


class WallClock:
    """The slots of one cron expression.

    Args:
        expression: minute, hour, day of month, month, weekday; weekdays as in crontab(5): 0 and
            7 are Sunday, names are clearer.

    Raises:
        ValueError: not such an expression, or one that never comes.
    """

    def __init__(self, expression: str) -> None:
        from apscheduler.triggers.cron import CronTrigger  # takes long to import

        fields = expression.split()
        if len(fields) != _FIELDS:
            raise ValueError("should be five cron fields, such as 30 2 * * *")
        minute, hour, day, month, weekday = fields
        if day != "*" and weekday != "*":
            raise ValueError("should name a day of the month or a weekday, not both")
        try:
            self._trigger = CronTrigger(
                minute=minute,
                hour=hour,
                day=day,
                month=month,
                day_of_week=_weekdays(weekday),
                timezone=UTC,
            )
        except ValueError as error:
            raise ValueError(f"is no cron expression: {error}") from None
        if self._trigger.get_next_fire_time(None, datetime(2024, 1, 1, tzinfo=UTC)) is None:
            raise ValueError("names a day that never comes")

    def next_after(self, wall: datetime) -> datetime:
        """The first slot after a naive wall-clock time."""
        start = wall.replace(tzinfo=UTC) + timedelta(microseconds=1)
        slot: datetime = self._trigger.get_next_fire_time(None, start)
        return slot.replace(tzinfo=None)


def instant(slot: datetime, zone: ZoneInfo) -> datetime:
    """When a slot comes to pass, aware UTC."""
    return slot.replace(tzinfo=zone, fold=0).astimezone(UTC)


def slot_after(clock: WallClock, zone: ZoneInfo, moment: datetime) -> datetime:
    """The first slot that comes to pass after an aware moment."""
    slot = clock.next_after(moment.astimezone(zone).replace(tzinfo=None) - _MOST_SKIPPED)
    while instant(slot, zone) <= moment:
        slot = clock.next_after(slot)
    return slot


def _weekdays(field: str) -> str:
    """A crontab's weekdays as a list of names: libraries number them differently."""
    if field == "*":
        return field
    chosen: set[int] = set()
    for item in field.lower().replace("*", "sun-sat").split(","):
        found = _WEEKDAYS.fullmatch(item)
        if found is None:
            raise ValueError(f"has no weekdays in {field!r}; write them like mon-fri or sat,sun")
        first = _number(found["first"])
        last = _number(found["last"] or found["first"])
        if last < first:
            last += len(_DAYS)
        chosen |= {day % len(_DAYS) for day in range(first, last + 1, int(found["step"] or 1))}
    return ",".join(_DAYS[day] for day in sorted(chosen))


def _number(day: str) -> int:
    return int(day) if day.isdigit() else _DAYS.index(day)
