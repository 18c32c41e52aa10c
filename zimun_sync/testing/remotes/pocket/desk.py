"""The little CRM as the people at the desk see it: what they look at, and what they do there."""

from typing import Any

from zimun_sync.testing.remotes.pocket.crm import PocketCrm
from zimun_sync.testing.remotes.pocket.faults import Fault
from zimun_sync.testing.remotes.pocket.words import PocketObject


class PocketDesk:
    """What people see and do; none of it counts as a call.

    Args:
        crm: the system.
    """

    def __init__(self, crm: PocketCrm) -> None:
        self._crm = crm
        self._storage = crm.storage

    def contacts(self) -> list[PocketObject]:
        """Everyone who is there, oldest first."""
        return self._storage.live("contact")

    def appointments(self) -> list[PocketObject]:
        """Every appointment that is there, oldest first."""
        return self._storage.live("appointment")

    def add(self, kind: str, **fields: Any) -> str:
        """Make an object by hand, found by searches at once; returns its id."""
        with self._storage.transaction():
            made = self._storage.add(kind, PocketObject("", fields))
        self.reindex()
        return made.id

    def edit(self, kind: str, object_id: str, **fields: Any) -> None:
        """Change fields of an object."""
        with self._storage.transaction():
            present = self._storage.one(kind, object_id)
            if present is None:
                raise LookupError(f"there is no {kind} {object_id}")
            self._storage.put(present, fields)

    def delete(self, object_id: str) -> None:
        """Delete an object."""
        with self._storage.transaction():
            self._storage.take_away(object_id, "deleted")

    def merge(self, loser: str, winner: str) -> None:
        """Merge a contact into another one, which takes over its appointments."""
        update = "UPDATE OR REPLACE ties SET contact = ? WHERE contact = ?"
        with self._storage.transaction():
            self._storage.take_away(loser, "merged", winner)
            self._storage.db.execute(update, (winner, loser))

    def add_user(self, user_id: str, email: str, *, active: bool = True) -> None:
        """Someone who works here, or does no longer."""
        row = (user_id, email, active)
        self._storage.db.execute("INSERT OR REPLACE INTO users VALUES (?, ?, ?)", row)

    def swap_account(self, account: str) -> None:
        """Let the same credentials lead to another account from now on."""
        self._storage.set_fact("account", account)

    def reindex(self) -> None:
        """Let searches see everything that is there now."""
        self._storage.db.execute("UPDATE objects SET indexed = 1")

    def refuse(self, text: str) -> None:
        """Let no object have this text in a value any more; an empty text ends that."""
        self._storage.set_fact("refused", text)

    def ignore(self, field: str) -> None:
        """Let this field be left as it is by every write, without a word; empty: none."""
        self._storage.set_fact("ignored", field)

    def fail(self, fault: Fault, call: str = "*", *, after: int = 0, times: int = 1) -> None:
        """Plan a fault.

        Args:
            fault: what is to happen.
            call: the call that it happens to, as `insert contact`; `*` stands for anything.
            after: how many such calls go well before it.
            times: how many of them go wrong; negative for all, until `mend`.
        """
        self._storage.faults.plan(fault, call, after, times)

    def mend(self) -> None:
        """End every fault."""
        self._storage.faults.clear()

    def calls(self) -> list[tuple[str, int]]:
        """Every call that programs made, and how many objects it was to write."""
        return [
            tuple(row) for row in self._storage.db.execute("SELECT * FROM calls ORDER BY rowid")
        ]

    def writes(self, call: str = "*") -> int:
        """How many objects programs wrote, or tried to, in calls of that name."""
        select = "SELECT coalesce(sum(objects), 0) FROM calls WHERE call GLOB ?"
        (count,) = self._storage.db.execute(select, (call,)).fetchone()
        return int(count)
