"""Checks of what goes wrong: bad rows, lost answers, a system that is down, another account."""

import pytest

from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.contract import Kind
from zimun_sync.store import ParkKind
from zimun_sync.testing.remotes.base import RemoteContractBase, check
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.harness import Lack, Trouble
from zimun_sync.testing.remotes.rig import RemoteRig, at

_LOST = [Trouble.UNAVAILABLE, Trouble.COMMIT_THEN_500, Trouble.TIMEOUT_AFTER_COMMIT]
_FEW, _MANY = (1, 2, 3), 12


class FailureChecks(RemoteContractBase):
    """Nothing is lost, nothing doubled, and the rows that are well are not kept waiting."""

    @check(Lack.REFUSALS)
    @pytest.mark.parametrize("column", ["contact_name", "notes"])
    def test_one_bad_row_stands_alone(self, rig: RemoteRig, column: str) -> None:
        """Refused with the contact or with the appointment; all others are written."""
        words = rig.system.refuse("Mx Bad")
        self._book_many(rig, column)
        rig.book(5, **{column: "Mx Bad"})
        assert rig.sync() is Progress.IDLE
        entries = rig.quarantine()
        assert entries.keys() == {booking_id(5)}
        assert words in entries[booking_id(5)].message
        assert len(rig.system.appointments()) == _MANY - 1

    @check(Lack.REFUSALS)
    def test_a_bad_row_is_retried_when_it_changes(self, rig: RemoteRig) -> None:
        """Somebody corrected it in the source."""
        rig.system.refuse("Mx Bad")
        self._book_many(rig, "contact_name")
        rig.book(5, contact_name="Mx Bad")
        rig.sync()
        rig.book(5, contact_name="Mx Good")
        assert rig.sync() is Progress.IDLE
        assert not rig.quarantine()
        assert rig.appointment(5).title == "Mx Good"
        assert len(rig.system.appointments()) == _MANY

    @check(Lack.REFUSALS)
    def test_a_bad_row_is_retried_on_command(self, rig: RemoteRig) -> None:
        """Somebody mended the system; before that a retry counts as another attempt."""
        rig.system.refuse("Mx Bad")
        self._book_many(rig, "contact_name")
        rig.book(5, contact_name="Mx Bad")
        rig.sync()
        rig.retry()
        before = rig.quarantine()[booking_id(5)].attempts
        rig.deliver()
        assert rig.quarantine()[booking_id(5)].attempts == before + 1
        rig.system.mend()
        rig.retry()
        assert rig.deliver() is Progress.IDLE
        assert not rig.quarantine()
        assert rig.appointment(5).title == "Mx Bad"

    @check(Lack.REFUSALS)
    def test_a_refused_update_leaves_the_rest_as_it_is(self, rig: RemoteRig) -> None:
        """A row that is there and is refused later."""
        rig.system.refuse("Mx Bad")
        self._book_many(rig, "notes")
        rig.sync()
        for number in range(_MANY):
            rig.book(number, appointment_duration=30)
        rig.book(5, notes="Mx Bad")
        rig.sync()
        assert rig.quarantine().keys() == {booking_id(5)}
        assert rig.appointment(6).ends_at == at("2031-03-07T10:15:00+01:00")

    def _book_many(self, rig: RemoteRig, column: str) -> None:
        title = {"from": column, "write": "always"}
        rig.start(appointment={"fields": {rig.harness.fields["title"]: title}})
        for number in range(_MANY):
            rig.book(number, notes=f"Note {number}")

    @check(Lack.FAULTS)
    @pytest.mark.parametrize("trouble", _LOST)
    def test_a_lost_answer_about_appointments_doubles_nothing(
        self, rig: RemoteRig, trouble: Trouble
    ) -> None:
        """Whatever was written meanwhile."""
        self._lose_an_answer(rig, trouble, Kind.APPOINTMENT, Lack.SURE_APPOINTMENTS)

    @check(Lack.FAULTS, Lack.CONTACTS)
    @pytest.mark.parametrize("trouble", _LOST)
    def test_a_lost_answer_about_contacts_doubles_nothing(
        self, rig: RemoteRig, trouble: Trouble
    ) -> None:
        """Neither contacts nor, in consequence, appointments."""
        self._lose_an_answer(rig, trouble, Kind.CONTACT, Lack.SURE_CONTACTS)

    def _lose_an_answer(self, rig: RemoteRig, trouble: Trouble, kind: Kind, unsure: Lack) -> None:
        rig.start()
        for number in _FEW:
            rig.book(number)
        rig.system.fail(trouble, kind)
        assert rig.sync() is Progress.WAITING
        rig.restart()
        assert rig.deliver() is Progress.IDLE
        if rig.lacks(unsure):
            self._is_asked_about(rig)
        else:
            assert not rig.quarantine()
            self._is_complete(rig)

    def _is_asked_about(self, rig: RemoteRig) -> None:
        """Nobody can tell whether they are there: a person has to look."""
        assert {entry.code for entry in rig.quarantine().values()} == {"maybe-created"}
        before = len(rig.system.contacts()), len(rig.system.appointments())
        rig.replay()
        assert rig.deliver() is Progress.IDLE
        after = len(rig.system.contacts()), len(rig.system.appointments())
        assert after == before, "it was created blindly"
        self._look_and_delete(rig, Kind.CONTACT, [each.id for each in rig.system.contacts()])
        visits = [each.id for each in rig.system.appointments()]
        self._look_and_delete(rig, Kind.APPOINTMENT, visits)
        rig.retry()
        assert rig.deliver() is Progress.IDLE
        assert not rig.quarantine(), "a person has looked, and it is still not created"
        self._is_complete(rig)

    def _look_and_delete(self, rig: RemoteRig, kind: Kind, ids: list[str]) -> None:
        """What a person does with objects that may have come of a create that was cut off."""
        for object_id in set(ids) - rig.memory.remote(kind, ids).keys():
            rig.system.delete(kind, object_id)

    def _is_complete(self, rig: RemoteRig) -> None:
        assert len(rig.system.appointments()) == len(_FEW)
        for number in _FEW:
            assert rig.appointment(number).status == "booked"
            if not rig.lacks(Lack.CONTACTS):
                assert rig.contact(number).email == f"person{number}@example.com"
        assert len(rig.system.contacts()) in {0, len(_FEW)}

    @check(Lack.FAULTS)
    def test_a_system_that_was_down_gets_final_states_only(self, rig: RemoteRig) -> None:
        """Pulls go on meanwhile; afterwards each appointment is written once."""
        rig.start()
        rig.book(1)
        rig.sync()
        rig.system.fail(Trouble.DOWN)
        for hour, status in ((10, "confirmed"), (11, "confirmed"), (12, "cancelled")):
            for number in _FEW:
                rig.book(number, appointment_time=f"2031-03-10T{hour}:00:00+01:00")
            rig.book(4, status=status)
            assert rig.sync() is Progress.WAITING
        rig.system.mend()
        written = rig.system.writes()
        assert rig.deliver() is Progress.IDLE
        assert {seen.starts_at for seen in rig.system.appointments()} == {
            at("2031-03-10T12:00:00+01:00")
        }
        self._is_complete(rig)
        # One update; two contacts, appointments and links.
        assert rig.system.writes() - written <= 1 + 2 * 3

    @check(Lack.ACCOUNTS)
    def test_another_account_is_refused(self, rig: RemoteRig) -> None:
        """The ids belong to one: both are named, and nothing is written to the other."""
        rig.start()
        rig.book(1)
        rig.sync()
        former = rig.memory.account()
        assert former
        new = rig.system.swap_account()
        written = rig.system.writes()
        rig.restart()
        rig.book(1, appointment_duration=30)
        rig.book(2)
        assert rig.sync() is Progress.PARKED
        assert rig.parked is not None
        assert rig.parked.kind is ParkKind.BROKEN
        assert former in rig.parked.reason
        assert new in rig.parked.reason
        assert rig.memory.account() == former
        assert rig.system.writes() == written
