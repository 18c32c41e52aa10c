"""Which user of the remote system an appointment belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from zimun_sync.ids import Memory
from zimun_sync.remotes.bookings import Booking
from zimun_sync.remotes.contract import KnowsOwners, Owner, Remote
from zimun_sync.remotes.settings import OwnerSettings


@dataclass(slots=True)
class Owners:
    """Finds owners; asks the remote once for each, until the sink is opened again.

    Args:
        remote: connected.
        memory: keeps what has to be reported.
        settings: how staff are mapped to users.
    """

    remote: Remote
    memory: Memory
    settings: OwnerSettings
    _by_email: dict[str, Owner | None] = field(default_factory=dict)
    _by_id: dict[str, Owner | None] = field(default_factory=dict)
    _reported: set[str] = field(default_factory=set)

    def assign(self, bookings: Sequence[Booking]) -> None:
        """Set the name `owner` of each; None where nobody suits, which is reported once."""
        if not isinstance(self.remote, KnowsOwners):
            return
        self._ask(self.remote, bookings)
        for booking in bookings:
            booking.names["owner"] = self._owner(booking)

    def _ask(self, remote: KnowsOwners, bookings: Sequence[Booking]) -> None:
        known = {email for email, owner in self._by_email.items() if owner}
        emails = {_email(booking) for booking in bookings} - {""} - known
        if emails and self.settings.by_email:
            found = remote.owners_by_email(sorted(emails))
            self._by_email |= {email: found.get(email) for email in emails}
        ids = {*self.settings.table.values(), self.settings.default or ""} - {""}
        if ids - self._by_id.keys():
            listed = remote.owners_by_id(sorted(ids))
            self._by_id |= {each: listed.get(each) for each in ids}

    def _owner(self, booking: Booking) -> str | None:
        staff_id = booking.names.get("staff_id")
        candidates = [self._by_email.get(_email(booking))]
        candidates += [self._listed(self.settings.table.get(staff_id or ""))]
        candidates += [self._listed(self.settings.default)]
        known = [each for each in candidates if each is not None]
        active = [each.id for each in known if each.active]
        if active:
            return active[0]
        if staff_id is not None and staff_id not in self._reported:
            self._reported.add(staff_id)
            self._report(staff_id, known)
        return None

    def _listed(self, owner_id: str | None) -> Owner | None:
        return self._by_id.get(owner_id) if owner_id else None

    def _report(self, staff_id: str, inactive: Sequence[Owner]) -> None:
        if inactive:
            message = f"The user {inactive[0].id} of staff member {staff_id} is not active there"
        else:
            message = f"Staff member {staff_id} has no user there"
        self.memory.notice(
            "owner-missing",
            staff_id,
            f"{message}: appointments are left without an owner. Add the staff member to "
            "owners.table, or set owners.default.",
        )


def _email(booking: Booking) -> str:
    return (booking.names["staff"].get("email") or "").strip().lower()
