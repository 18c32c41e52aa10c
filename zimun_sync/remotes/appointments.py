"""The appointments of a batch: created, updated, cancelled, archived."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from zimun_sync.ids import IdState, Known, Memory
from zimun_sync.remotes.bookings import Booking
from zimun_sync.remotes.calling import halving, portions, read
from zimun_sync.remotes.contacts import Tie
from zimun_sync.remotes.contract import (
    Archives,
    Cancels,
    Done,
    Item,
    Kind,
    Linking,
    Outcome,
    Refused,
    Remote,
)
from zimun_sync.remotes.expressions import ExpressionError
from zimun_sync.remotes.links import LinkStep
from zimun_sync.remotes.mapping import Mode
from zimun_sync.remotes.plan import Plan
from zimun_sync.remotes.planning import Wanted
from zimun_sync.remotes.side import Side
from zimun_sync.remotes.tasks import (
    ABOUT,
    ARCHIVING,
    CANCELLED,
    DONE,
    MAYBE,
    Result,
    Standing,
    Task,
    not_there,
    ties,
    without,
)
from zimun_sync.remotes.writing import Writer


@dataclass(frozen=True, slots=True)
class AppointmentStep:
    """Brings appointments about.

    Args:
        remote: connected.
        memory: the sink's.
        plan: what is written.
        thorough: see `Wanted`.
    """

    remote: Remote
    memory: Memory
    plan: Plan
    thorough: bool

    def upsert(
        self, bookings: Sequence[Booking], known: Mapping[str, Known], ties: Mapping[str, Tie]
    ) -> dict[str, Result]:
        """Create or update, with the contact where the system keeps it with the appointment."""
        tasks, results = self._tasks(bookings, known, ties)
        results |= self._writer.bring_about(tasks)
        if self._by_field:
            results |= self._without_lost_contacts(tasks, results)
        return results

    def settle(self, bookings: Sequence[Booking], known: Mapping[str, Known]) -> dict[str, Result]:
        """Find out what became of creates that were cut off, before taking them back."""
        tasks, results = self._tasks(bookings, known)
        return results | self._writer.settle(tasks)

    def cancel(self, bookings: Sequence[Booking], known: Mapping[str, Known]) -> dict[str, Result]:
        """Cancel what is there, by a call of its own or by the fields that say so."""
        tasks, results = self._tasks(bookings, known)
        if self.plan.appointment.mode is Mode.CREATE_ONLY:
            return results | {task.key: Standing.UNCHANGED for task in tasks}
        if not isinstance(self.remote, Cancels):
            return results | self._writer.bring_about(tasks)
        due = [task for task in tasks if task.base.sent.get(CANCELLED) != DONE]
        results |= {task.key: Standing.UNCHANGED for task in tasks}
        due = self._marked(due, CANCELLED)
        return results | self._by_call(self.remote.cancel, due, _cancelled)

    def archive(self, bookings: Sequence[Booking], known: Mapping[str, Known]) -> dict[str, Result]:
        """Take away what is there."""
        tasks, results = self._tasks(bookings, known)
        if not isinstance(self.remote, Archives):
            words = "This system cannot take appointments away: choose cancel or ignore."
            return {task.key: Refused(task.key, "cannot-archive", words) for task in tasks}
        due = self._marked(tasks, ARCHIVING)
        return results | self._by_call(self.remote.archive, due, _archived)

    @property
    def _by_field(self) -> bool:
        return self.remote.abilities.linking is Linking.FIELD

    @property
    def _writer(self) -> Writer:
        settings = self.plan.settings
        most, verify = settings.max_creates_per_run, settings.verify_writes
        return Writer(self._side, most, verify)

    @property
    def _side(self) -> Side:
        return Side(Kind.APPOINTMENT, self.remote, self.memory)

    def _tasks(
        self,
        bookings: Sequence[Booking],
        known: Mapping[str, Known],
        ties: Mapping[str, Tie] | None = None,
    ) -> tuple[list[Task], dict[str, Result]]:
        """What is to be done, and those whose mapping cannot be filled in."""
        tasks: list[Task] = []
        refused: dict[str, Result] = {}
        for booking in bookings:
            tie = ties[booking.key] if ties is not None else None
            try:
                tasks.append(self._task(booking, known.get(booking.key), tie))
            except ExpressionError as error:
                refused[booking.key] = Refused(booking.key, "mapping", str(error))
        return tasks, refused

    def _task(self, booking: Booking, known: Known | None, tie: Tie | None) -> Task:
        """What is to be done for an appointment. `tie`: None leaves its contact as it is."""
        base = known or Known(booking.key, IdState.ABSENT)
        contact_id = _tied_to(base)
        if tie is not None:
            # Whose contact it was is needed once more, if nobody is named for having asked.
            contact = base.contact if booking.person.key is None else tie.contact
            base = replace(base, contact=contact, person=booking.person.digests)
            contact_id = tie.remote_id if self._by_field else _tied_to(base)
        values = self.plan.appointment.values(booking.names)
        return Task(
            booking.key,
            booking.run_id,
            Wanted(self.plan.appointment, values, base.sent, thorough=self.thorough),
            booking.names,
            base,
            known,
            contact_id=contact_id,
            sought=booking.asked and MAYBE in base.sent,
            everything=booking.action == "upsert" and CANCELLED in base.sent,
        )

    def _by_call(
        self,
        call: Callable[[Sequence[Item]], Sequence[Outcome]],
        tasks: Sequence[Task],
        after: Callable[[Task], Known],
    ) -> dict[str, Result]:
        results: dict[str, Result] = {}
        for portion in portions(tasks, self.remote.abilities.batch):
            items = [task.item({}) for task in portion]
            outcomes = halving(call, items)
            results |= self._called(portion, outcomes, after)
        return results

    def _as_before(self, task: Task) -> Task:
        """Without a mark that was only made for this very call: it is gone by somebody else."""
        was_tried = task.before is not None and ARCHIVING in task.before.sent
        return task if was_tried else replace(task, base=without(task.base, ARCHIVING))

    def _marked(self, tasks: Sequence[Task], mark: str) -> list[Task]:
        """The tasks, with what is about to be done to them remembered."""
        marked = [
            replace(task, base=replace(task.base, sent={**task.base.sent, mark: ABOUT}))
            for task in tasks
        ]
        self._side.save([task.base for task in marked])
        return marked

    def _called(
        self,
        tasks: Sequence[Task],
        outcomes: Mapping[str, Outcome],
        after: Callable[[Task], Known],
    ) -> dict[str, Result]:
        done = [task for task in tasks if isinstance(outcomes[task.key], Done)]
        entries = [_versioned(after(task), outcomes[task.key]) for task in done]
        self._side.save(entries)
        results: dict[str, Result] = {task.key: Standing.WRITTEN for task in done}
        for task in tasks:
            outcome = outcomes[task.key]
            if isinstance(outcome, Refused):
                results[task.key] = outcome
        lost = [task for task in tasks if task.key not in results]
        return results | self._side.mend([self._as_before(task) for task in lost])

    def _without_lost_contacts(
        self, tasks: Sequence[Task], results: Mapping[str, Result]
    ) -> dict[str, Result]:
        """Those not written because their contact is gone are looked at again without it."""
        doubtful = {
            task.contact_id
            for task in tasks
            if task.contact_id is not None
            and (results[task.key] is Standing.AGAIN or isinstance(results[task.key], Refused))
        }
        if not doubtful:
            return {}
        there = read(self.remote, Kind.CONTACT, doubtful, [])
        lost = {each for each in doubtful if each not in there or there[each].id != each}
        LinkStep(self.remote, self.memory).look_at_contacts(lost)
        return {task.key: Standing.AGAIN for task in tasks if task.contact_id in lost}


def _tied_to(base: Known) -> str | None:
    """Whom it is tied to, as far as that is known; after a crash whom it may have been tied to."""
    known = ties(base)
    return known.pop() if len(known) == 1 else base.linked_to


def _cancelled(task: Task) -> Known:
    return replace(task.base, sent={**task.base.sent, CANCELLED: DONE})


def _archived(task: Task) -> Known:
    return not_there(task.base)


def _versioned(entry: Known, outcome: Outcome) -> Known:
    if isinstance(outcome, Done) and entry.state is IdState.LINKED:
        return replace(entry, remote_id=outcome.id, version=outcome.version)
    return entry
