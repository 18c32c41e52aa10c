"""Bringing objects of one kind about: what is there is updated, what is not is created."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zimun_sync.ids import IdState, Known
from zimun_sync.remotes.calling import read
from zimun_sync.remotes.contract import By, Found, Refused
from zimun_sync.remotes.creating import Creator
from zimun_sync.remotes.planning import mark
from zimun_sync.remotes.side import Side
from zimun_sync.remotes.tasks import Result, Standing, Task, not_there, without
from zimun_sync.remotes.updating import Updater
from zimun_sync.remotes.values import same


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes objects of one kind.

    Args:
        side: where to, and what is remembered of it.
        max_creates: of a run; see `Memory.spend`.
        verify: whether to read back what was written.
    """

    side: Side
    max_creates: int
    verify: bool = False

    def bring_about(self, tasks: Sequence[Task]) -> dict[str, Result]:
        """Create or update each object; the result by key.

        Raises:
            SinkUnavailable, SinkBroken: as the remote does; what was done is remembered.
            SinkHeld: a run would create more than it may.
        """
        there = [task for task in tasks if task.base.state is IdState.LINKED]
        others = [task for task in tasks if task.base.state is not IdState.LINKED]
        results = self._creator.create(others) | Updater(self.side).update(there)
        return results | self._verified(tasks, results)

    def settle(self, tasks: Sequence[Task]) -> dict[str, Result]:
        """Find out what became of creates that were cut off, for what is to be taken back."""
        if (self.side.kind, By.KEY) not in self.side.remote.abilities.finds:
            created = self._creator.create(tasks)
            return {
                key: Standing.AGAIN if result is Standing.WRITTEN else result
                for key, result in created.items()
            }
        adopted = self.side.adopt_by_key(tasks)
        self.side.save([not_there(task.base) for task in tasks if task.key not in adopted])
        return {task.key: Standing.AGAIN for task in tasks}

    @property
    def _creator(self) -> Creator:
        return Creator(self.side, self.max_creates)

    def _verified(self, tasks: Sequence[Task], results: Mapping[str, Result]) -> dict[str, Result]:
        """Those whose fields are not as they were just written, as refused."""
        written = {task.key: task for task in tasks if results[task.key] is Standing.WRITTEN}
        if not self.verify or not written:
            return {}
        known = self.side.memory.known(self.side.kind, written.keys())
        ids = {entry.remote_id for entry in known.values() if entry.remote_id is not None}
        names = sorted({name for task in written.values() for name in task.wanted.values})
        found = read(self.side.remote, self.side.kind, ids, names)
        wrong = {
            key: fields
            for key, entry in known.items()
            if (fields := _not_as_written(written[key], entry, found.get(entry.remote_id or "")))
        }
        self.side.save([without(known[key], *fields) for key, fields in wrong.items()])
        return {key: _refused(key, fields) for key, fields in wrong.items()}


def _refused(key: str, fields: Sequence[str]) -> Refused:
    words = f"Read back, these fields are not as they were written: {', '.join(fields)}."
    return Refused(key, "not-as-written", words)


def _not_as_written(task: Task, entry: Known, found: Found | None) -> list[str]:
    """Fields that were just written, and are not as they should be."""
    fields = found.fields if found else {}
    return [
        name
        for name, value in task.wanted.values.items()
        if entry.sent.get(name) == mark(value) != task.wanted.sent.get(name)
        and not same(fields.get(name), value)
    ]
