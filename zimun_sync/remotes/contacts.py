"""The contacts of a batch's appointments: chosen, created, filled in, corrected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from zimun_sync.ids import IdState, Known, Memory
from zimun_sync.remotes.bookings import Booking, by_contact
from zimun_sync.remotes.choosing import Choice, Contacts
from zimun_sync.remotes.contract import By, Found, Kind, Linking, Refused, Remote
from zimun_sync.remotes.expressions import ExpressionError
from zimun_sync.remotes.plan import Plan
from zimun_sync.remotes.planning import Wanted
from zimun_sync.remotes.side import Side
from zimun_sync.remotes.tasks import MAYBE, Result, Standing, Task, linked
from zimun_sync.remotes.writing import Writer


@dataclass(frozen=True, slots=True)
class Tie:
    """What an appointment is to be tied to.

    Args:
        contact: the contact's key; None: there is none to be had.
        remote_id: the contact's id there; None: it is not there.
        result: what became of the contact: WRITTEN, UNCHANGED, AGAIN, or why it was refused.
    """

    contact: str | None = None
    remote_id: str | None = None
    result: Result = Standing.UNCHANGED


_NO_TIE: Final = Tie()


@dataclass(frozen=True, slots=True)
class ContactStep:
    """Brings contacts about.

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

    def tie(self, bookings: Sequence[Booking], appointments: Mapping[str, Known]) -> dict[str, Tie]:
        """What each appointment is to be tied to, by its key.

        Raises:
            SinkUnavailable, SinkBroken, SinkHeld: what was done is remembered.
        """
        if self.remote.abilities.linking is Linking.NONE:
            return {booking.key: _NO_TIE for booking in bookings}
        chooser = Contacts(self.remote, self.memory, self.plan.defaults.email_field)
        choices = chooser.choose(bookings, appointments)
        keys = {key: each.contact for key, each in choices.items() if each.contact is not None}
        latest = by_contact(bookings, keys)
        latest |= by_contact([each for each in bookings if choices[each.key].corrected], keys)
        due, results = self._tasks(latest, choices, chooser)
        self._remember(due, chooser)
        results |= self._bring_about(due)
        there = self.memory.known(Kind.CONTACT, latest.keys())
        return {
            booking.key: _tie(booking, choices[booking.key], results, there, latest)
            for booking in bookings
        }

    def _tasks(
        self, latest: Mapping[str, Booking], choices: Mapping[str, Choice], chooser: Contacts
    ) -> tuple[list[Task], dict[str, Result]]:
        """What is to be done, and contacts whose mapping cannot be filled in."""
        tasks: list[Task] = []
        refused: dict[str, Result] = {}
        for contact, booking in latest.items():
            try:
                task = self._task(contact, booking, choices[booking.key], chooser)
            except ExpressionError as error:
                refused[contact] = Refused(contact, "mapping", str(error))
                continue
            tasks += [task] if task is not None else []
        return tasks, refused

    def _remember(self, tasks: Sequence[Task], chooser: Contacts) -> None:
        """Contacts that were found there, and the person keys that lead to contacts."""
        found = [
            task.base
            for task in tasks
            if task.base.state is IdState.LINKED and task.base != task.before
        ]
        if found or chooser.learnt:
            self.memory.save(Kind.CONTACT, found, chooser.learnt)

    def _bring_about(self, tasks: Sequence[Task]) -> dict[str, Result]:
        settings = self.plan.settings
        most, verify = settings.max_creates_per_run, settings.verify_writes
        side = Side(Kind.CONTACT, self.remote, self.memory)
        return Writer(side, most, verify).bring_about(tasks)

    def _task(
        self, contact: str, booking: Booking, choice: Choice, chooser: Contacts
    ) -> Task | None:
        """What is to be done for a contact; None if it was deleted there and stays so."""
        before = chooser.known.get(contact)
        base = before or Known(contact, IdState.ABSENT)
        if choice.found is not None and not _is_at(base, choice.found):
            base = linked(base, choice.found.id, choice.found.version)
        elif base.state is IdState.DELETED and not self.plan.settings.recreate_deleted:
            self._report_deleted(base)
            return None
        if choice.corrected or not base.person[0]:
            base = replace(base, person=booking.person.digests)
        return Task(
            contact,
            booking.run_id,
            self._wanted(booking, base, choice),
            booking.names,
            base,
            before,
            sought=self._sought(contact, booking, chooser)
            or (booking.asked and MAYBE in base.sent),
        )

    def _wanted(self, booking: Booking, base: Known, choice: Choice) -> Wanted:
        defaults = self.plan.defaults
        details = {defaults.email_field, defaults.phone_field}
        values = self.plan.contact.values(booking.names)
        forced = frozenset(details & values.keys()) if choice.corrected else frozenset()
        return Wanted(self.plan.contact, values, base.sent, forced, self.thorough)

    def _sought(self, contact: str, booking: Booking, chooser: Contacts) -> bool:
        by = By.EMAIL if contact.startswith(f"{By.EMAIL}:") else By.PHONE
        finds = (Kind.CONTACT, by) in self.remote.abilities.finds
        return finds and chooser.is_unseen(contact, booking.person)

    def _report_deleted(self, base: Known) -> None:
        self.memory.notice(
            "deleted-there",
            base.remote_id or base.key,
            f"Contact {base.remote_id} was deleted there and is not created again "
            "(recreate_deleted: false): appointments are left without a contact.",
        )


def _is_at(base: Known, found: Found) -> bool:
    """Whether a contact is remembered to be there under that id."""
    return base.state is IdState.LINKED and base.remote_id == found.id


def _tie(
    booking: Booking,
    choice: Choice,
    results: Mapping[str, Result],
    there: Mapping[str, Known],
    latest: Mapping[str, Booking],
) -> Tie:
    if choice.ambiguous:
        return Tie(result=Refused(booking.key, "ambiguous-contact", choice.ambiguous))
    if choice.contact is None:
        return _NO_TIE
    result = results.get(choice.contact, Standing.UNCHANGED)
    if isinstance(result, Refused):
        return Tie(choice.contact, result=replace(result, key=booking.key))
    known = there.get(choice.contact)
    is_linked = known is not None and known.state is IdState.LINKED
    if result is Standing.WRITTEN and latest[choice.contact] is not booking:
        result = Standing.UNCHANGED  # it counts for the appointment whose values it has
    return Tie(choice.contact, known.remote_id if known and is_linked else None, result)
