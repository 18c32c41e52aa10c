"""A calendar's worth of bookings, compared with what a person's program then reads there."""

from datetime import UTC, timedelta
from pathlib import Path

from tests.caldav.desk import Harness
from tests.systems.many import BOOKED, CANCELLED, MOVED, Held, book_move_and_cancel
from tests.systems.radicale import PersonsCalendar, Radicale
from zimun_sync.testing.remotes.rig import RemoteRig


def test_bookings_of_which_some_are_moved_and_some_cancelled_are_all_there(
    server: Radicale, tmp_path: Path
) -> None:
    harness = Harness(server)
    try:
        with RemoteRig(tmp_path, harness) as rig:
            expected = book_move_and_cancel(rig)
            assert harness.system.writes() == BOOKED + MOVED + CANCELLED // 2
            assert seen_in(harness.system.calendar) == expected
            rig.replay()
            rig.deliver()
            assert harness.system.writes() == BOOKED + MOVED + CANCELLED // 2
    finally:
        harness.close()


def seen_in(calendar: PersonsCalendar) -> dict[str, Held]:
    """What the calendar's own events say, by our key."""
    return {
        str(event["X-ZIMUN-KEY"]): Held(
            event.start.astimezone(UTC),
            event.duration // timedelta(minutes=1),
            event["STATUS"] == "CANCELLED",
        )
        for event in calendar.events()
    }
