"""When the daemon's next run is due, told from its settings alone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from zimun_sync.config.serving import ScheduleSettings
from zimun_sync.cron import WallClock, instant, slot_after
from zimun_sync.status.snapshot import Schedule


def next_runs(settings: ScheduleSettings, now: datetime) -> Schedule:
    """The first pull and the first reconcile after an aware moment, without jitter; aware UTC."""
    reconcile = settings.reconcile
    return Schedule(
        next_pull=next_after(settings.nightly, settings.timezone, now),
        next_reconcile=None if reconcile is None else next_after(reconcile, settings.timezone, now),
    )


def next_after(expression: str, zone: str, now: datetime) -> datetime:
    """When the first slot of a cron expression after an aware moment comes to pass, aware UTC."""
    place = ZoneInfo(zone)
    return instant(slot_after(WallClock(expression), place, now.astimezone(UTC)), place)
