"""Faults that the little CRM was told to have; kept in its file, so that any process meets them."""

import os
import signal
import sqlite3
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What goes wrong with a call."""

    REFUSED_CONNECTION = "refused-connection"  #: it never gets there
    UNAVAILABLE = "unavailable"  #: it fails before anything is written
    COMMIT_THEN_FAIL = "commit-then-fail"  #: everything is written, and then it fails
    KILL_BEFORE = "kill-before"  #: the calling process dies before anything is written
    KILL_AFTER = "kill-after"  #: the calling process dies when everything is written


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that waits for its call.

    Args:
        number: its number in the file.
        fault: what is to happen.
        after: calls it lets pass first.
        times: how often it happens; negative for ever.
    """

    number: int
    fault: Fault
    after: int
    times: int


class Faults:
    """The plan of faults, by name of call.

    Args:
        db: the CRM's file, in autocommit mode.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS faults (number INTEGER PRIMARY KEY, call TEXT NOT NULL,"
            " fault TEXT NOT NULL, after INTEGER NOT NULL, times INTEGER NOT NULL)"
        )

    def plan(self, fault: Fault, call: str, after: int, times: int) -> None:
        """Let calls whose name matches go wrong; `*` in the name stands for anything."""
        insert = "INSERT INTO faults (call, fault, after, times) VALUES (?, ?, ?, ?)"
        self._db.execute(insert, (call, fault.value, after, times))

    def clear(self) -> None:
        """Let everything go well from now on."""
        self._db.execute("DELETE FROM faults")

    def met_by(self, call: str) -> Fault | None:
        """What is to go wrong with this call, now that it is made."""
        for planned in self._matching(call):
            if planned.after > 0:
                update = "UPDATE faults SET after = after - 1 WHERE number = ?"
                self._db.execute(update, (planned.number,))
            else:
                self._count(planned)
                return planned.fault
        return None

    def _matching(self, call: str) -> list[Planned]:
        select = "SELECT number, fault, after, times FROM faults WHERE ? GLOB call ORDER BY number"
        rows = self._db.execute(select, (call,)).fetchall()
        return [Planned(row[0], Fault(row[1]), row[2], row[3]) for row in rows]

    def _count(self, planned: Planned) -> None:
        if planned.times == 1:
            self._db.execute("DELETE FROM faults WHERE number = ?", (planned.number,))
        else:
            update = "UPDATE faults SET times = times - 1 WHERE number = ?"
            self._db.execute(update, (planned.number,))


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)
