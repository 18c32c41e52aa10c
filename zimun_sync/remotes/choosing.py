"""Which contact an appointment belongs to: remembered, then by e-mail, then by phone.

Never a guess: where several contacts could be meant the appointment is left to a person.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from zimun_sync.ids import IdState, Known, Memory
from zimun_sync.remotes.bookings import Booking
from zimun_sync.remotes.calling import find, read
from zimun_sync.remotes.contract import By, Found, Kind, Remote
from zimun_sync.remotes.people import Person, another_key, is_same_person
from zimun_sync.remotes.values import is_empty

#: In place of a contact's key: several contacts have this phone number.
SHARED: Final = "*"


@dataclass(frozen=True, slots=True)
class Choice:
    """The contact of one appointment.

    Args:
        contact: its key; None if there is none to be had.
        found: the contact as the remote has it, where it was looked up.
        corrected: whether a detail of the same person changed.
        ambiguous: why nobody can tell which contact it is; else empty.
    """

    contact: str | None = None
    found: Found | None = None
    corrected: bool = False
    ambiguous: str = ""


@dataclass(slots=True)
class Contacts:
    """Chooses contacts for the appointments of a batch; looks up, writes nothing.

    Args:
        remote: connected.
        memory: the sink's.
        email_field: the contact's field of the e-mail address.
        aliases: the contact's key by person key, of this batch; complete after `choose`.
        known: what is remembered of contacts, by key; complete after `choose`.
    """

    remote: Remote
    memory: Memory
    email_field: str
    aliases: dict[str, str] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)
    _by_email: Mapping[str, Sequence[Found]] = field(default_factory=dict)
    _by_phone: Mapping[str, Sequence[Found]] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _remembered: Mapping[str, str] = field(default_factory=dict)
    _has_email: set[str] = field(default_factory=set)
    _taken: set[str] = field(default_factory=set)

    def choose(
        self, bookings: Sequence[Booking], appointments: Mapping[str, Known]
    ) -> dict[str, Choice]:
        """The contact of each appointment, by the appointment's key.

        Args:
            bookings: in sequence order.
            appointments: what is remembered of them, by key.
        """
        kept = {
            booking.key: before.contact
            for booking in bookings
            if (before := appointments.get(booking.key)) is not None and _keeps(booking, before)
        }
        self._recall(bookings, {key for key in kept.values() if key})
        self._look_up([each.person for each in bookings if not self._is_settled(each, kept)])
        return {booking.key: self._choose(booking, appointments, kept) for booking in bookings}

    @property
    def learnt(self) -> dict[str, str]:
        """Person keys that lead elsewhere than was remembered, and where."""
        return {
            person: contact
            for person, contact in self.aliases.items()
            if self._remembered.get(person) != contact
        }

    def _recall(self, bookings: Iterable[Booking], kept: set[str]) -> None:
        persons = {key for booking in bookings for key in _keys(booking.person)}
        self._remembered = self.memory.aliases(persons)
        self.aliases = dict(self._remembered)
        contacts = {*self.aliases.values(), *kept, *persons} - {SHARED}
        self.known = self.memory.known(Kind.CONTACT, contacts)
        for booking in bookings:
            self._drop_former(booking.person)

    def _drop_former(self, person: Person) -> None:
        """Forget an address whose contact has got another one: it may be anybody's now."""
        contact = self.aliases.get(person.email_key or "")
        if contact is not None and self._has_another(contact, person):
            del self.aliases[str(person.email_key)]

    def _has_another(self, contact: str, person: Person) -> bool:
        """Whether a contact is known to be somebody with another e-mail address."""
        known = self.known.get(contact)
        return known is not None and known.person[0] not in ("", person.digests[0])

    def _free_key(self, person: Person, key: str) -> str:
        """The key of a contact to be made: one that no other person's contact has."""
        while person.email is not None and self._has_another(key, person):
            key = another_key(key)
        return key

    def _is_settled(self, booking: Booking, kept: Mapping[str, str | None]) -> bool:
        """Whether memory alone tells the contact, and it is known to be there."""
        contact = kept.get(booking.key) or self.aliases.get(booking.person.email_key or "")
        known = self.known.get(contact or "")
        return known is not None and known.state is IdState.LINKED

    def _is_there(self, contact: str) -> bool:
        known = self.known.get(contact)
        return known is not None and known.state in (IdState.LINKED, IdState.INTENDED)

    def _look_up(self, persons: Sequence[Person]) -> None:
        emails = {person.email for person in persons if person.email}
        self._by_email = find(self.remote, Kind.CONTACT, By.EMAIL, emails, [self.email_field])
        phones = {
            person.phone
            for person in persons
            if person.phone and not self._by_email.get(person.email or "")
        }
        self._by_phone = find(self.remote, Kind.CONTACT, By.PHONE, phones, [self.email_field])
        found = [*self._by_email.values(), *self._by_phone.values()]
        ids = {each.id for several in found for each in several}
        self._keys = self.memory.remote(Kind.CONTACT, ids)
        self._note_emails(persons)

    def _note_emails(self, persons: Sequence[Person]) -> None:
        """Which contacts that a phone number leads to have an e-mail address."""
        by_phone = {
            self.aliases[person.phone_key]
            for person in persons
            if person.email and person.phone_key in self.aliases
        }
        ids = {
            known.remote_id: key
            for key in by_phone
            if (known := self.known.get(key)) is not None and known.remote_id is not None
        }
        for remote_id, found in read(self.remote, Kind.CONTACT, ids, [self.email_field]).items():
            if not is_empty(found.fields.get(self.email_field)):
                self._has_email.add(ids[remote_id])

    def _choose(
        self,
        booking: Booking,
        appointments: Mapping[str, Known],
        kept: Mapping[str, str | None],
    ) -> Choice:
        contact = kept.get(booking.key)
        if contact is not None and self._is_there(contact):
            corrected = _is_corrected(booking, appointments[booking.key])
            choice = Choice(contact, self._met(contact, booking.person), corrected)
        else:
            choice = self._by_person(booking.person, contact)
        if choice.contact is not None:
            self._remember(booking.person, choice.contact)
        return choice

    def _met(self, contact: str, person: Person) -> Found | None:
        """The one contact that a look-up by e-mail found, if its create may have arrived."""
        known = self.known.get(contact)
        found = self._own(contact, person)
        is_open = known is not None and known.state is IdState.INTENDED
        return found[0] if is_open and len(found) == 1 else None

    def _own(self, contact: str, person: Person) -> Sequence[Found]:
        if contact == person.phone_key:
            return self._by_phone.get(person.phone or "", ())
        return self._by_email.get(person.email or "", ())

    def is_unseen(self, contact: str, person: Person) -> bool:
        """Whether the look-up by what a contact was made with has just found nobody."""
        looked_up = _keys(person)
        if self._by_email.get(person.email or ""):
            looked_up = [str(person.email_key)]  # nobody was asked for by phone then
        return contact in looked_up and not self._own(contact, person)

    def _remember(self, person: Person, contact: str) -> None:
        if person.email_key is not None:
            self.aliases[person.email_key] = contact
        if person.phone_key is not None:
            before = self.aliases.get(person.phone_key, contact)
            stands = before == contact or not self._could_be(before)
            self.aliases[person.phone_key] = contact if stands else SHARED

    def _could_be(self, contact: str) -> bool:
        return contact == SHARED or self._is_there(contact) or contact not in self.known

    def _by_person(self, person: Person, former: str | None) -> Choice:
        if person.key is None:
            return Choice()
        remembered = self.aliases.get(person.email_key or "")
        if remembered is not None and self._could_be(remembered):
            return Choice(remembered, self._met(remembered, person))
        by_email = self._by_email.get(person.email or "", ())
        if by_email:
            key = self._free_key(person, person.key)
            return self._found(by_email, "e-mail address", key)
        key = self._gone(person, former) or self._free_key(person, person.key)
        return self._chosen_by_phone(person, key)

    def _gone(self, person: Person, former: str | None) -> str | None:
        """The contact that a person deleted there, under whatever key it was made."""
        alias = self.aliases.get((person.email_key or person.phone_key) or "")
        states = {each: self.known[each].state for each in (alias, former) if each in self.known}
        return next((key for key, state in states.items() if state is IdState.DELETED), None)

    def _chosen_by_phone(self, person: Person, key: str) -> Choice:
        remembered = self.aliases.get(person.phone_key or "")
        by_phone = self._by_phone.get(person.phone or "", ())
        if remembered == SHARED and person.email is None and len(by_phone) != 1:
            return Choice(ambiguous="Several contacts have been booked for with this phone number.")
        if remembered not in (None, SHARED) and self._suits(remembered, person):
            self._take(person, str(remembered), self.known.get(str(remembered)))
            return Choice(remembered, self._met(str(remembered), person))
        found = [each for each in by_phone if self._is_free(each, person)]
        if len(found) == 1:
            self._take(person, self._keys.get(found[0].id, key), found[0])
        return self._found(found, "phone number", key) if found else Choice(key)

    def _is_free(self, found: Found, person: Person) -> bool:
        """Whether a contact found by phone can be this person: nobody else's address is on it."""
        if person.email is None:
            return True
        return found.id not in self._taken and is_empty(found.fields.get(self.email_field))

    def _take(self, person: Person, contact: str, there: Known | Found | None) -> None:
        """From now on the contact has this person's e-mail address."""
        if person.email is not None and there is not None:
            self._has_email.add(contact)
            self._taken.add((there.id if isinstance(there, Found) else there.remote_id) or "")

    def _suits(self, contact: str | None, person: Person) -> bool:
        """Whether a contact known by phone can be this person: it has no other e-mail address."""
        if contact is None or not self._could_be(contact):
            return False
        if person.email is None:
            return True
        return contact in self.known and contact not in self._has_email

    def _found(self, found: Sequence[Found], what: str, key: str) -> Choice:
        if len(found) > 1:
            ids = ", ".join(sorted(each.id for each in found))
            return Choice(ambiguous=f"Several contacts there have this {what}: {ids}.")
        return Choice(self._keys.get(found[0].id, key), found[0])


def _keeps(booking: Booking, before: Known) -> bool:
    return before.contact is not None and is_same_person(before.person, booking.person.digests)


def _is_corrected(booking: Booking, before: Known) -> bool:
    return before.person[:2] != booking.person.digests[:2]


def _keys(person: Person) -> list[str]:
    return [key for key in (person.email_key, person.phone_key) if key is not None]
