"""Checks of contacts: which one a booking belongs to, and what is written of it."""

import pytest

from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.contract import Kind
from zimun_sync.testing.remotes.base import RemoteContractBase, check
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.harness import Lack
from zimun_sync.testing.remotes.rig import RemoteRig


class PersonChecks(RemoteContractBase):
    """Found rather than made, never guessed, and followed when they change."""

    @check(Lack.CONTACTS)
    def test_two_people_with_one_address_are_one_contact(self, rig: RemoteRig) -> None:
        """A couple that shares an address has two appointments there."""
        rig.start()
        rig.book(1, contact_email="both@example.com")
        rig.book(2, contact_email="Both@Example.com", contact_name="Other", contact_phone=None)
        rig.sync()
        assert len(rig.system.contacts()) == 1
        assert rig.contact(1) == rig.contact(2)

    @check(Lack.CONTACTS)
    def test_a_later_booking_finds_its_contact(self, rig: RemoteRig) -> None:
        """In another batch, of another process."""
        rig.start()
        rig.book(1)
        rig.sync()
        rig.restart()
        rig.book(2, contact_name="Person 1", contact_email="person1@example.com")
        rig.sync()
        assert rig.contact(2).id == rig.contact(1).id
        assert len(rig.system.contacts()) == 1

    @check(Lack.CONTACTS)
    def test_a_person_with_only_a_phone(self, rig: RemoteRig) -> None:
        """Is a contact, and the same one the next time."""
        rig.start()
        for number in (1, 2):
            rig.book(number, contact_email=None, contact_phone="+436601234567")
            rig.sync()
        assert len(rig.system.contacts()) == 1
        assert (rig.contact(1).email, rig.contact(1).phone) == (None, "+436601234567")
        assert rig.contact(2) == rig.contact(1)

    @check(Lack.CONTACTS)
    def test_a_person_whom_nobody_could_know_again(self, rig: RemoteRig) -> None:
        """Without an e-mail address and a phone there is an appointment, but no contact."""
        rig.start()
        rig.book(1, contact_email=None, contact_phone=None)
        rig.sync()
        assert rig.appointment(1).contact_id is None
        assert not rig.system.contacts()

    @check(Lack.CONTACTS)
    @pytest.mark.parametrize("detail", ["email", "phone"])
    def test_a_corrected_detail_is_the_same_contact(self, rig: RemoteRig, detail: str) -> None:
        """The name and the other detail stayed: the contact keeps its id and gets the new one."""
        rig.start()
        rig.book(1)
        rig.sync()
        before = rig.contact(1)
        new = {"email": "right@example.com", "phone": "+436609999999"}[detail]
        rig.book(1, **{f"contact_{detail}": new})
        rig.sync()
        after = rig.contact(1)
        assert after.id == before.id
        assert getattr(after, detail) == new
        assert len(rig.system.contacts()) == 1

    @check(Lack.CONTACTS)
    def test_another_person_is_another_contact(self, rig: RemoteRig) -> None:
        """The appointment is tied to them, and no longer to the former one."""
        rig.start()
        rig.book(1)
        rig.sync()
        before = rig.contact(1)
        rig.book(
            1, contact_name="Eva", contact_email="eva@example.com", contact_phone="+436602222222"
        )
        rig.sync()
        after = rig.contact(1)
        assert (after.name, after.email) == ("Eva", "eva@example.com")
        assert before in rig.system.contacts(), "the former contact was changed"
        assert {each.name for each in rig.system.contacts()} == {"Person 1", "Eva"}

    @check(Lack.CONTACTS)
    def test_nobody_any_more_unties(self, rig: RemoteRig) -> None:
        """A booking that lost its person is tied to nobody."""
        rig.start()
        rig.book(1)
        rig.sync()
        rig.book(1, contact_name=None, contact_email=None, contact_phone=None)
        rig.sync()
        assert rig.appointment(1).contact_id is None

    @check(Lack.CONTACTS)
    def test_a_contact_that_is_there_already_is_only_completed(self, rig: RemoteRig) -> None:
        """What people entered stays; what is empty is filled in."""
        there = rig.system.add_contact(name="Dr. Anna Person", email="Person1@example.com")
        rig.start()
        rig.book(1)
        rig.sync()
        found = rig.contact(1)
        assert found.id == there
        assert found.name == "Dr. Anna Person"
        assert found.email == "Person1@example.com"
        assert found.phone == "+436601000001"

    @check(Lack.CONTACTS)
    def test_a_contact_is_found_by_phone_where_no_address_speaks_against_it(
        self, rig: RemoteRig
    ) -> None:
        """One with another e-mail address may be somebody else in the same household."""
        mine = rig.system.add_contact(name="Person 1", phone="+436601000001")
        rig.system.add_contact(name="Mother", email="m@example.com", phone="+436601000002")
        rig.start()
        rig.book(1)
        rig.book(2)
        rig.sync()
        assert rig.contact(1).id == mine
        assert rig.contact(1).email == "person1@example.com"
        names = [each.name for each in rig.system.contacts()]
        assert sorted(names) == ["Mother", "Person 1", "Person 2"]

    @check(Lack.CONTACTS, Lack.TWINS)
    def test_contacts_that_cannot_be_told_apart_are_asked_about(self, rig: RemoteRig) -> None:
        """Never a guess: the booking waits in quarantine, and goes on once a person has helped."""
        twins = [
            rig.system.add_contact(name=name, email="person1@example.com") for name in ("A", "B")
        ]
        rig.start()
        rig.book(1)
        rig.book(2)
        rig.sync()
        assert rig.quarantine().keys() == {booking_id(1)}
        assert rig.quarantine()[booking_id(1)].code == "ambiguous-contact"
        assert rig.appointment_or_none(1) is None
        assert rig.contact(2).name == "Person 2"
        rig.system.delete(Kind.CONTACT, twins[1])
        rig.retry()
        assert rig.deliver() is Progress.IDLE
        assert not rig.quarantine()
        assert rig.contact(1).id == twins[0]

    @check(Lack.CONTACTS)
    def test_a_contact_that_was_made_anew_is_found_again(self, rig: RemoteRig) -> None:
        """Somebody deleted it there and entered it again: appointments are tied to that one."""
        rig.start()
        rig.book(1)
        rig.sync()
        rig.system.delete(Kind.CONTACT, rig.contact(1).id)
        again = rig.system.add_contact(name="Person 1", email="person1@example.com")
        self._come_again(rig)
        assert rig.contact(2).id == again
        assert len(rig.system.contacts()) == 1

    @check(Lack.CONTACTS, Lack.MERGE)
    def test_a_merged_contact_is_followed(self, rig: RemoteRig) -> None:
        """Appointments belong to whom it was merged into."""
        rig.start()
        rig.book(1)
        rig.sync()
        winner = rig.system.add_contact(name="Person One", email="one@example.com")
        rig.system.merge(rig.contact(1).id, winner)
        self._come_again(rig)
        assert rig.contact(1).id == winner
        assert rig.contact(2).id == winner
        assert len(rig.system.contacts()) == 1
        assert not rig.quarantine()

    @check(Lack.CONTACTS)
    def test_a_deleted_contact_is_not_made_again(self, rig: RemoteRig) -> None:
        """A person wanted it so: appointments are written without it, and it is told once."""
        rig.start()
        rig.book(1)
        rig.sync()
        rig.system.delete(Kind.CONTACT, rig.contact(1).id)
        self._come_again(rig)
        rig.book(3, contact_name="Person 1", contact_email="person1@example.com")
        rig.sync()
        assert not rig.system.contacts()
        assert rig.appointment(2).contact_id is None
        assert rig.appointment(3).contact_id is None
        assert len(rig.notices("deleted-there")) == 1
        assert not rig.quarantine()

    @check(Lack.CONTACTS)
    def test_a_deleted_contact_is_made_again_where_that_is_wanted(self, rig: RemoteRig) -> None:
        """`recreate_deleted: true`."""
        rig.start(recreate_deleted=True)
        rig.book(1)
        rig.sync()
        rig.system.delete(Kind.CONTACT, rig.contact(1).id)
        self._come_again(rig)
        assert len(rig.system.contacts()) == 1
        assert rig.contact(2).email == "person1@example.com"

    def _come_again(self, rig: RemoteRig) -> None:
        """The person of booking 1 changes it and books a second time."""
        rig.book(1, appointment_duration=30)
        rig.book(
            2,
            contact_name="Person 1",
            contact_email="person1@example.com",
            contact_phone="+436601000001",
        )
        assert rig.sync() is Progress.IDLE
