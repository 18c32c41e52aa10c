"""One batch of appointments into a remote system: people, contacts, appointments, links.

What an outcome shows to have changed there (a merge, a deletion, an edit) is remembered, and the
appointment looked at again in a further round; what is done already costs nothing then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from zimun_sync.ids import IdState, Known, Memory
from zimun_sync.remotes.appointments import AppointmentStep
from zimun_sync.remotes.bookings import Booking
from zimun_sync.remotes.contacts import ContactStep, Tie
from zimun_sync.remotes.contract import Kind, Refused, Remote
from zimun_sync.remotes.links import LinkStep
from zimun_sync.remotes.owners import Owners
from zimun_sync.remotes.plan import Plan
from zimun_sync.remotes.tasks import Result, Skipped, Standing

#: How often an appointment is looked at in one batch before it is left for its next change.
ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class Rounds:
    """Writes batches.

    Args:
        remote: connected.
        memory: the sink's.
        plan: what is written.
        owners: finds owners.
        starts_from: appointments that start earlier are left out unless they are there.
        thorough: compare with what is there even where nothing changed here.
    """

    remote: Remote
    memory: Memory
    plan: Plan
    owners: Owners
    starts_from: datetime | None
    thorough: bool = False

    def write(self, bookings: Sequence[Booking]) -> dict[str, Result]:
        """Bring all appointments about; the result by booking's key.

        Raises:
            SinkUnavailable, SinkBroken, SinkHeld: what was done is remembered.
        """
        results: dict[str, Result] = {}
        left = list(bookings)
        wrote: set[str] = set()
        for _ in range(ROUNDS):
            if not left:
                break
            latest = self._round(left, wrote)
            results |= latest
            left = [each for each in left if latest[each.key] is Standing.AGAIN]
        words = "It changed there each time it was about to be written; retry it."
        results |= {each.key: Refused(each.key, "unsettled", words) for each in left}
        return {key: _joined(result, key in wrote) for key, result in results.items()}

    def _round(self, bookings: Sequence[Booking], wrote: set[str]) -> dict[str, Result]:
        known = self.memory.known(Kind.APPOINTMENT, {booking.key for booking in bookings})
        results = {
            booking.key: result
            for booking in bookings
            if (result := self._sorted_out(booking, known.get(booking.key))) is not None
        }
        due = [booking for booking in bookings if booking.key not in results]
        step = AppointmentStep(self.remote, self.memory, self.plan, self.thorough)
        cut_off = [each for each in due if each.action != "upsert" and _is_open(known, each)]
        results |= step.settle(cut_off, known)
        due = [booking for booking in due if booking.key not in results]
        results |= step.cancel([each for each in due if each.action == "cancel"], known)
        results |= step.archive([each for each in due if each.action == "archive"], known)
        upserts = [each for each in due if each.action == "upsert"]
        results |= self._upsert(step, upserts, known, wrote)
        wrote |= {key for key, result in results.items() if result is Standing.WRITTEN}
        return results

    def _upsert(
        self,
        step: AppointmentStep,
        bookings: Sequence[Booking],
        known: Mapping[str, Known],
        wrote: set[str],
    ) -> dict[str, Result]:
        """Contacts, then appointments, then the links between them."""
        if not bookings:
            return {}
        self.owners.assign(bookings)
        contacts = ContactStep(self.remote, self.memory, self.plan, self.thorough)
        ties = contacts.tie(bookings, known)
        wrote |= {key for key, tie in ties.items() if tie.result is Standing.WRITTEN}
        results = {key: tie.result for key, tie in ties.items() if not _holds(tie)}
        left = [booking for booking in bookings if booking.key not in results]
        results |= step.upsert(left, known, ties)
        wrote |= {key for key, result in results.items() if result is Standing.WRITTEN}
        settled = {
            booking.key: ties[booking.key].remote_id
            for booking in left
            if results[booking.key] in (Standing.WRITTEN, Standing.UNCHANGED)
        }
        return results | LinkStep(self.remote, self.memory).tie(settled)

    # -- what needs no writing --------------------------------------------------------------

    def _sorted_out(self, booking: Booking, known: Known | None) -> Result | None:
        """The result of an appointment for which nothing is to be done there."""
        is_there = known is not None and known.state in (IdState.LINKED, IdState.INTENDED)
        if not is_there and self._is_too_early(booking):
            return Skipped("starts before start_from")
        if booking.action == "quarantine":
            return _unknown_status(booking)
        if booking.action == "ignore":
            return Skipped(f"status {booking.names.get('status')} is ignored")
        if known is not None and known.state is IdState.DELETED:
            return self._deleted_there(booking, known)
        if not is_there and booking.action != "upsert":
            return Skipped(f"nothing there to {booking.action}")
        return None

    def _is_too_early(self, booking: Booking) -> bool:
        starts_at = booking.names.get("starts_at")
        return (
            self.starts_from is not None and starts_at is not None and starts_at < self.starts_from
        )

    def _deleted_there(self, booking: Booking, known: Known) -> Result | None:
        if self.plan.settings.recreate_deleted and booking.action == "upsert":
            return None
        self.memory.notice(
            "deleted-there",
            booking.key,
            f"Appointment {booking.key} ({known.remote_id}) was deleted there and is not created "
            "again (recreate_deleted: false).",
        )
        return Skipped("deleted there")


def _is_open(known: Mapping[str, Known], booking: Booking) -> bool:
    """Whether a create of it was cut off."""
    before = known.get(booking.key)
    return before is not None and before.state is IdState.INTENDED


def _holds(tie: Tie) -> bool:
    return tie.result is not Standing.AGAIN and not isinstance(tie.result, Refused)


def _joined(result: Result, wrote: bool) -> Result:
    """An appointment of which anything was written counts as written."""
    return Standing.WRITTEN if wrote and not isinstance(result, Refused) else result


def _unknown_status(booking: Booking) -> Refused:
    status = booking.names.get("source_status") or booking.names.get("status")
    return Refused(
        booking.key,
        "unknown-status",
        f"Its status {status!r} goes to quarantine: give it a meaning with "
        f"sources.{booking.names['source']}.statuses.",
    )
