"""A process that keeps the schedule through one moment of a night, for `test_schedule_nights`.

Arguments: the state's folder; the slot that was run before; how long to keep it, seconds.
Prints the cause of each run.
"""

import sys
from datetime import datetime
from pathlib import Path
from threading import Event

from zimun_sync.cron import WallClock
from zimun_sync.daemon.schedule import Job, Schedule
from zimun_sync.store import Store


def say(cause: str) -> bool:
    sys.stdout.write(f"{cause}\n")
    return True


def failed(error: BaseException) -> None:
    say(repr(error))


def main(folder: str, before: str, seconds: str) -> None:
    with Store.open("sqlite:///state.db", Path(folder)) as store:
        slot = datetime.fromisoformat(before)
        store.slots.take("nightly", slot)
        store.slots.finish("nightly", slot)
        schedule = Schedule(store.slots, "Europe/Berlin", 0.0, failed)
        schedule.start([Job("nightly", "nightly", WallClock("30 2 * * *"), say)])
        Event().wait(float(seconds))
        schedule.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
