"""Updating objects: only the fields whose values of ours changed, and nothing a person wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from zimun_sync.ids import Known
from zimun_sync.remotes.calling import halving, portions, read
from zimun_sync.remotes.contract import Done, Found, Refused
from zimun_sync.remotes.mapping import Mode
from zimun_sync.remotes.side import Side
from zimun_sync.remotes.tasks import ARCHIVING, CANCELLED, Result, Standing, Task, without


@dataclass(frozen=True, slots=True)
class _Due:
    """A task with the fields to write, and those that were looked at."""

    task: Task
    fields: dict[str, Any]
    present: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Updater:
    """Updates objects of one kind.

    Args:
        side: where.
    """

    side: Side

    def update(self, tasks: Sequence[Task]) -> dict[str, Result]:
        """Write what differs; the result by key.

        Raises:
            SinkUnavailable, SinkBroken: as the remote does; what was done is remembered.
        """
        results: dict[str, Result] = {task.key: Standing.UNCHANGED for task in tasks}
        if not tasks or tasks[0].wanted.mapped.mode is Mode.CREATE_ONLY:
            return results
        present = self._present([task for task in tasks if task.wanted.needs_present()])
        results |= self.side.mend([task for task in tasks if _is_missed(task, present)])
        left = [_due(task, present) for task in tasks if not _is_missed(task, present)]
        due = [each for each in left if each.fields or self.side.moves(each.task)]
        written = {each.task.key for each in due}
        self._keep([each for each in left if each.task.key not in written])
        for portion in portions(due, self.side.remote.abilities.batch):
            results |= self._write(portion)
        return results

    def _present(self, tasks: Sequence[Task]) -> dict[str, Found]:
        """What is there now, by the task's key; a merged one is linked to its survivor first."""
        ids = {task.base.remote_id for task in tasks if task.base.remote_id is not None}
        names = sorted({name for task in tasks for name in task.wanted.values})
        found = read(self.side.remote, self.side.kind, ids, names)
        return {
            task.key: each
            for task in tasks
            if (each := found.get(task.base.remote_id or "")) and each.id == task.base.remote_id
        }

    def _keep(self, kept: Sequence[_Due]) -> None:
        """Remember what was found to be there already."""
        entries = [
            (each.task, self.side.kept(replace(each.task.base, sent=_sent(each)), each.task))
            for each in kept
        ]
        self.side.save([entry for task, entry in entries if entry != task.before])

    def _write(self, portion: Sequence[_Due]) -> dict[str, Result]:
        self.side.save([self.side.about_to(each.task, each.fields) for each in portion])
        items = [each.task.item(each.fields) for each in portion]
        outcomes = halving(partial(self.side.remote.update, self.side.kind), items)
        entries: list[Known] = []
        results: dict[str, Result] = {}
        lost: list[Task] = []
        for each in portion:
            match outcomes[each.task.key]:
                case Done() as done:
                    entries.append(self._entry(each, done))
                    results[each.task.key] = Standing.WRITTEN
                case Refused() as refused:
                    results[each.task.key] = refused
                case _:
                    lost.append(each.task)
        self.side.save(entries)
        return results | self.side.mend(lost)

    def _entry(self, due: _Due, done: Done) -> Known:
        entry = self.side.written(due.task, _sent(due), (done.id, done.version))
        marks = (ARCHIVING, CANCELLED) if due.task.everything else (ARCHIVING,)
        return without(entry, *marks)


def _sent(due: _Due) -> dict[str, str]:
    return due.task.wanted.sent_after(due.fields, due.present)


def _is_missed(task: Task, present: Mapping[str, Found]) -> bool:
    """Whether it should have been read and was not there."""
    return task.wanted.needs_present() and task.key not in present


def _due(task: Task, present: Mapping[str, Found]) -> _Due:
    found = present.get(task.key)
    there = found.fields if found else {}
    fields = dict(task.wanted.values) if task.everything else task.wanted.to_update(there)
    return _Due(task, fields, there)
