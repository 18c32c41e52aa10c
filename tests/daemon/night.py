"""A process that keeps the schedule through a night, for `test_schedule_nights`.

Arguments: the state's folder; the slot that was run before; the slot after which to end. The
clock is one that runs fast, which threads' waits do not: so the schedule is told to look at it
all the time. Prints when it began, and when each run began, as Berlin shows it.
"""

import sys
from datetime import datetime
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

from zimun_sync.cron import WallClock
from zimun_sync.daemon.schedule import Job, Schedule
from zimun_sync.store import Store
from zimun_sync.store.slots import Slot

ZONE = "Europe/Berlin"


def say(cause: str) -> bool:
    sys.stdout.write(f"{datetime.now(ZoneInfo(ZONE)).isoformat()} {cause}\n")
    return True


def failed(error: BaseException) -> None:
    say(repr(error))


def main(folder: str, before: str, last: str) -> None:
    with Store.open("sqlite:///state.db", Path(folder)) as store:
        slot, end = datetime.fromisoformat(before), datetime.fromisoformat(last)
        store.slots.take("nightly", slot)
        store.slots.finish("nightly", slot)
        schedule = Schedule(store.slots, ZONE, 0.0, failed)
        schedule.start([Job("nightly", "nightly", WallClock("30 2 * * *"), say)])
        say("began")
        done = Slot(end, finished=True)
        while store.slots.latest("nightly") != done:
            schedule.look()
            Event().wait(0.02)
        schedule.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
