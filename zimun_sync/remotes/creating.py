"""Creating objects: each with its intent remembered first, so that none is made twice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

from zimun_sync.errors import SinkHeld
from zimun_sync.ids import IdState, Known
from zimun_sync.remotes.calling import find, halving, portions
from zimun_sync.remotes.contract import By, Done, Exists, Kind, NotSent, Outcome, Refused
from zimun_sync.remotes.mapping import Mode
from zimun_sync.remotes.people import made_with
from zimun_sync.remotes.side import Side
from zimun_sync.remotes.tasks import (
    DONE,
    MADE,
    MAYBE,
    Result,
    Skipped,
    Standing,
    Task,
    linked,
    not_there,
    without,
)


@dataclass(frozen=True, slots=True)
class Creator:
    """Creates objects of one kind.

    Args:
        side: where.
        max_creates: of a run; see `Memory.spend`.
    """

    side: Side
    max_creates: int

    def create(self, tasks: Sequence[Task]) -> dict[str, Result]:
        """Create what is not there; the result by key.

        Raises:
            SinkUnavailable, SinkBroken: as the remote does; intents stay open.
            SinkHeld: a run would create more than it may.
        """
        if not tasks:
            return {}
        if tasks[0].wanted.mapped.mode is Mode.UPDATE_ONLY:
            why = Skipped("not there, and update_only creates nothing")
            skipped: dict[str, Result] = dict.fromkeys((task.key for task in tasks), why)
            return skipped | self.side.adopt_by_key(tasks)
        results = self._settled(tasks)
        left = [task for task in tasks if task.key not in results]
        for portion in portions(left, self.side.remote.abilities.batch):
            results |= self._create(portion)
        return results

    def _settled(self, tasks: Sequence[Task]) -> dict[str, Result]:
        """What is there already; a create that may have arrived is never repeated blindly."""
        abilities, kind = self.side.remote.abilities, self.side.kind
        if (kind, By.KEY) in abilities.finds:
            # Also where a create may be repeated: a state that was restored knows of none.
            return self.side.adopt_by_key(
                [each for each in tasks if not (self._upserts and _is_open(each))]
            )
        if kind in abilities.safe_creates:
            return {}
        doubtful = [task for task in tasks if _is_open(task) and not task.sought]
        told = [replace(each.base, sent={**each.base.sent, MAYBE: "told"}) for each in doubtful]
        self.side.save(told)
        return {task.key: _maybe(task) for task in doubtful}

    def _create(self, tasks: Sequence[Task]) -> dict[str, Result]:
        fresh = [task for task in tasks if not _is_open(task)]
        self._spend(fresh)
        intents = [self._intended(task) for task in tasks]
        self.side.save([task.base for task in intents])
        items = [task.item(task.wanted.to_create()) for task in intents]
        try:
            outcomes = halving(partial(self.side.remote.create, self.side.kind), items)
        except NotSent:
            self._take_back(fresh)
            raise
        cut_off = {task.key for task in tasks if _is_open(task)}
        return self._created(intents, outcomes, cut_off)

    def _spend(self, tasks: Sequence[Task]) -> None:
        counted: list[Task] = []
        for run_id, creates in Counter(task.run_id for task in tasks).items():
            if not self.side.memory.spend(run_id, creates, self.max_creates):
                self._give_back(counted)
                raise SinkHeld(
                    f"Run {run_id} would create more than {self.max_creates} objects there "
                    "(max_creates_per_run); nothing beyond that was written.",
                    hint="`zimun-sync sync --dry-run` shows what it would write; if that is "
                    "right, `zimun-sync resume SINK` lets it go on.",
                )
            counted += [task for task in tasks if task.run_id == run_id]

    def _intended(self, task: Task) -> Task:
        """The task, with what to remember before its create is sent."""
        token = task.base.token or uuid4().hex
        before = task.base if _is_open(task) else not_there(task.base)
        base = replace(before, state=IdState.INTENDED, token=token)
        task = replace(task, base=base)
        return replace(task, base=without(self.side.about_to(task, task.wanted.to_create()), MAYBE))

    def _take_back(self, tasks: Sequence[Task]) -> None:
        """Forget the intents of creates that were not made."""
        self.side.save([not_there(task.base) for task in tasks])
        self._give_back(tasks)

    def _give_back(self, tasks: Sequence[Task]) -> None:
        for run_id, creates in Counter(task.run_id for task in tasks).items():
            self.side.memory.spend(run_id, -creates, self.max_creates)

    def _created(
        self, tasks: Sequence[Task], outcomes: Mapping[str, Outcome], cut_off: AbstractSet[str]
    ) -> dict[str, Result]:
        """What came of creates. `cut_off`: keys of those that were tried before."""
        entries: list[Known] = []
        unmade: list[Task] = []
        results: dict[str, Result] = {}
        for task in tasks:
            was_cut_off = task.key in cut_off
            results[task.key], entry = self._outcome(task, outcomes[task.key], was_cut_off)
            if entry is not None:
                entries.append(entry)
            elif not was_cut_off:  # else the former attempt may have arrived
                unmade.append(task)
        self.side.save(entries)
        self._take_back(unmade)
        return results

    def _outcome(
        self, task: Task, outcome: Outcome, was_cut_off: bool
    ) -> tuple[Result, Known | None]:
        """What came of a create, and what to remember; None: nothing was made by it."""
        match outcome:
            case Done(_, remote_id, version) if was_cut_off and not self._upserts:
                # It may be the former attempt's object, with what that wrote.
                return Standing.AGAIN, self._made(linked(task.base, remote_id, version))
            case Done(_, remote_id, version):
                sent = task.wanted.sent_after(task.wanted.to_create(), {})
                written = self.side.written(task, sent, (remote_id, version))
                return Standing.WRITTEN, self._made(written)
            case Exists(_, remote_id):
                entry = self._existing(task, remote_id, was_cut_off=was_cut_off)
                return (Standing.AGAIN, entry) if entry else (_unseen(task), None)
            case Refused():
                return outcome, None
            case _:
                return Standing.AGAIN, None

    def _made(self, entry: Known) -> Known:
        """Our own contact: it may be erased with the person, where one that was found may not."""
        if self.side.kind is not Kind.CONTACT:
            return entry
        return replace(entry, sent={**entry.sent, MADE: DONE})

    @property
    def _upserts(self) -> bool:
        return self.side.kind in self.side.remote.abilities.upserts

    def _existing(self, task: Task, remote_id: str | None, *, was_cut_off: bool) -> Known | None:
        """What a create met, where it can be found."""
        if remote_id is None:
            by, value = By.KEY, task.key
            if self.side.kind is Kind.CONTACT:
                by, value = made_with(task.key)
            found = find(self.side.remote, self.side.kind, by, [value], []).get(value)
            remote_id = found[0].id if found else None
        # What nobody tried before is not our own: everything of it has to be compared.
        base = task.base if was_cut_off else replace(task.base, sent={})
        return linked(base, remote_id, None) if remote_id else None


def _is_open(task: Task) -> bool:
    """Whether a create of it was under way before, and has been counted."""
    return task.base.state is IdState.INTENDED


def _maybe(task: Task) -> Refused:
    return Refused(
        task.key,
        "maybe-created",
        "A former attempt to create it was cut off, and it cannot be looked up there: see "
        "whether it is there, and delete it there before you retry this entry.",
    )


def _unseen(task: Task) -> Refused:
    words = "The remote says that it exists already, but it cannot be found there."
    return Refused(task.key, "already-exists", words)
