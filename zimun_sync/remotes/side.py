"""One kind of object in a remote system, with what is remembered of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zimun_sync.ids import IdState, Known, Memory
from zimun_sync.remotes.calling import find, read
from zimun_sync.remotes.contract import By, Found, Kind, Linking, Remote
from zimun_sync.remotes.tasks import (
    ARCHIVING,
    TYING,
    Result,
    Standing,
    Task,
    about_to_tie,
    linked,
    not_there,
    without,
)


@dataclass(frozen=True, slots=True)
class Side:
    """Contacts, or appointments.

    Args:
        kind: of objects.
        remote: connected.
        memory: the sink's.
    """

    kind: Kind
    remote: Remote
    memory: Memory

    def save(self, entries: Sequence[Known]) -> None:
        """Remember what there is to remember.

        Raises:
            LeaseLost: another process took over this sink.
        """
        if entries:
            self.memory.save(self.kind, entries)

    def about_to(self, task: Task, fields: Mapping[str, Any]) -> Known:
        """What to remember before fields are written: a crash leaves them in doubt."""
        entry = replace(task.base, sent=task.wanted.about_to(fields))
        return about_to_tie(entry, task.contact_id) if self._ties_by_field else entry

    def written(self, task: Task, sent: Mapping[str, str], at: tuple[str, str | None]) -> Known:
        """What to remember once fields are written.

        Args:
            task: the task.
            sent: digests of its fields.
            at: remote id and version.
        """
        return self.kept(replace(linked(task.base, *at), sent=sent), task)

    def kept(self, entry: Known, task: Task) -> Known:
        """What to remember of an object that is as it should be: its tie is no longer in doubt."""
        if not self._ties_by_field:
            return entry
        return replace(without(entry, TYING), linked_to=task.contact_id)

    def moves(self, task: Task) -> bool:
        """Whether it is tied to another contact by a field of its own."""
        return self._ties_by_field and task.relinks

    def adopt_by_key(self, tasks: Sequence[Task]) -> dict[str, Result]:
        """Remember what the remote already has under our key."""
        if not tasks:
            return {}
        there = find(self.remote, self.kind, By.KEY, {task.key for task in tasks}, [])
        adopted = [(task, there[task.key][0]) for task in tasks if task.key in there]
        self.save([linked(task.base, each.id, each.version) for task, each in adopted])
        return {task.key: Standing.AGAIN for task, _ in adopted}

    def mend(self, tasks: Sequence[Task]) -> dict[str, Result]:
        """Look at objects that are gone, merged or changed there, and remember what they are."""
        ids = {task.base.remote_id for task in tasks if task.base.remote_id is not None}
        found = read(self.remote, self.kind, ids, [])
        self.save([_as_found(task.base, found.get(task.base.remote_id or "")) for task in tasks])
        return {task.key: Standing.AGAIN for task in tasks}

    @property
    def _ties_by_field(self) -> bool:
        by_field = self.remote.abilities.linking is Linking.FIELD
        return by_field and self.kind is Kind.APPOINTMENT


def _as_found(base: Known, found: Found | None) -> Known:
    if found is None and ARCHIVING in base.sent:
        return not_there(base)
    if found is None:
        return replace(base, state=IdState.DELETED, version=None, sent={})
    sent = base.sent if found.id == base.remote_id else {}
    return replace(base, remote_id=found.id, version=found.version, sent=sent)
