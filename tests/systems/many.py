"""Many bookings, made, moved and cancelled, against what a real system then holds."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.thorough import times
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.testing.remotes.rig import RemoteRig, key_of

BOOKED = times(80, 200)
#: The first ones are moved; half of those that are cancelled were moved before.
MOVED, CANCELLED = BOOKED // 4, BOOKED // 10
#: Bookings a day.
_DAILY = BOOKED // 10
_FIRST_CANCELLED = MOVED - CANCELLED // 2
#: The Sunday in Vienna on which clocks are put back.
_FIRST_DAY = datetime(2031, 10, 20, 9, 0, tzinfo=ZoneInfo("Europe/Vienna"))


@dataclass(frozen=True, slots=True)
class Held:
    """What a system should hold for one booking."""

    starts_at: datetime
    minutes: int
    cancelled: bool


def book_move_and_cancel(rig: RemoteRig) -> dict[str, Held]:
    """Bring it about, and say what should be there, by our key.

    Days are added on the wall clock, so that a third of the moves cross the end of daylight
    saving.
    """
    rig.start()
    expected = {number: _booked(rig, number) for number in range(BOOKED)}
    assert rig.sync() is Progress.IDLE
    for number in range(MOVED):
        before = expected[number]
        local = before.starts_at.astimezone(_FIRST_DAY.tzinfo) + timedelta(days=5, minutes=15)
        expected[number] = Held(local.astimezone(UTC), 60, before.cancelled)
        rig.book(number, appointment_time=local.isoformat(), appointment_duration=60)
    for number in range(_FIRST_CANCELLED, _FIRST_CANCELLED + CANCELLED):
        rig.book(number, status="cancelled")
        expected[number] = Held(expected[number].starts_at, expected[number].minutes, True)
    assert rig.sync() is Progress.IDLE
    assert not rig.quarantine()
    return {key_of(number): held for number, held in expected.items()}


def _booked(rig: RemoteRig, number: int) -> Held:
    day, slot = divmod(number, _DAILY)
    local = _FIRST_DAY + timedelta(days=day, minutes=30 * slot)
    rig.book(number, appointment_time=local.isoformat(), appointment_duration=30)
    return Held(local.astimezone(UTC), 30, cancelled=False)
