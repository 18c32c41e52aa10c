"""Checks of appointments: what each change of a booking leads to."""

from datetime import timedelta

import pytest

from zimun_sync.pipeline.deliver import Progress
from zimun_sync.testing.remotes.base import RemoteContractBase, check
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.harness import Lack
from zimun_sync.testing.remotes.rig import RemoteRig, at

#: Both sides of the nights in Vienna when clocks change, and an hour that there is twice.
_MOVES = [
    ("2031-10-24T09:00:00+02:00", "2031-10-27T09:00:00+01:00"),
    ("2031-10-26T02:30:00+02:00", "2031-10-26T02:30:00+01:00"),
    ("2031-03-29T23:30:00+01:00", "2031-03-30T03:15:00+02:00"),
]
_HOUR_AND_A_HALF = timedelta(minutes=90)


class WriteChecks(RemoteContractBase):
    """Create, change, cancel; and nothing that is there already."""

    @check()
    def test_a_booking_becomes_an_appointment(self, rig: RemoteRig) -> None:
        """With its times, its status and its contact."""
        rig.start()
        rig.book(1, appointment_time="2031-03-03T09:45:00+01:00", appointment_duration=45)
        assert rig.sync() is Progress.IDLE
        assert len(rig.system.appointments()) == 1
        seen = rig.appointment(1)
        assert (seen.starts_at, seen.ends_at) == (
            at("2031-03-03T08:45:00+00:00"),
            at("2031-03-03T09:30:00+00:00"),
        )
        assert seen.status == "booked"
        assert seen.title
        if not rig.lacks(Lack.CONTACTS):
            contact = rig.contact(1)
            assert (contact.name, contact.email) == ("Person 1", "person1@example.com")
            assert contact.phone == "+436601000001"

    @check()
    def test_nothing_is_written_twice(self, rig: RemoteRig) -> None:
        """Neither by a further sync, nor by another process, nor by a replay."""
        rig.start()
        for number in range(4):
            rig.book(number)
        rig.book(3, status="cancelled")
        rig.sync()
        written = rig.system.writes()
        assert written
        rig.sync()
        rig.restart()
        rig.sync()
        rig.store.deliveries.rewind("crm")
        rig.deliver()
        assert rig.system.writes() == written, "a redelivery wrote something"
        rig.replay()
        rig.deliver()
        assert rig.system.writes() == written, "a replay wrote something"
        assert not rig.quarantine()

    @check()
    def test_a_change_of_what_is_not_mapped_writes_nothing(self, rig: RemoteRig) -> None:
        """A newer version of the record alone is none of the system's business."""
        rig.start()
        rig.book(1)
        rig.sync()
        written = rig.system.writes()
        rig.book(1, something_of_the_source="changed")
        rig.sync()
        assert rig.system.writes() == written

    @check()
    def test_a_cancellation_keeps_the_appointment(self, rig: RemoteRig) -> None:
        """It is cancelled, not taken away; and booked again when the booking is."""
        rig.start()
        rig.book(1)
        rig.sync()
        before = rig.appointment(1)
        rig.book(1, status="cancelled")
        rig.sync()
        cancelled = rig.appointment(1)
        assert cancelled.status == "cancelled"
        assert (cancelled.id, cancelled.contact_id) == (before.id, before.contact_id)
        rig.book(1, status="confirmed", appointment_duration=30)
        rig.sync()
        again = rig.appointment(1)
        assert again.status == "booked"
        assert again.ends_at == at("2031-03-02T10:15:00+01:00")
        assert len(rig.system.appointments()) == 1

    @check()
    def test_a_cancellation_of_what_was_never_there_is_skipped(self, rig: RemoteRig) -> None:
        """No appointment, and no contact for it."""
        rig.start()
        rig.book(1, status="cancelled")
        assert rig.sync() is Progress.IDLE
        assert not rig.system.appointments()
        assert not rig.system.contacts()
        assert not rig.quarantine()
        assert rig.delivery.totals.skipped

    @check()
    def test_a_deletion_in_the_source_cancels(self, rig: RemoteRig) -> None:
        """A tombstone cancels; nothing is deleted there."""
        rig.start()
        rig.book(1)
        rig.book(2)
        rig.sync()
        rig.bookings.remove(1)
        assert rig.sync() is Progress.IDLE
        assert rig.appointment(1).status == "cancelled"
        assert rig.appointment(2).status == "booked"

    @check(Lack.NO_SHOW)
    def test_a_no_show_and_its_correction(self, rig: RemoteRig) -> None:
        """Both ways: the front desk makes mistakes."""
        self._status_and_back(rig, "no_show")

    @check(Lack.COMPLETED)
    def test_a_completed_appointment(self, rig: RemoteRig) -> None:
        """Both ways, too."""
        self._status_and_back(rig, "completed")

    def _status_and_back(self, rig: RemoteRig, status: str) -> None:
        rig.start()
        rig.book(1)
        rig.sync()
        for source, seen in ((status, status), ("confirmed", "booked"), (status, status)):
            rig.book(1, status=source)
            rig.sync()
            assert rig.appointment(1).status == seen
        assert len(rig.system.appointments()) == 1

    @check()
    def test_a_held_slot_is_left_out_and_an_unknown_status_asked_about(
        self, rig: RemoteRig
    ) -> None:
        """Nobody has booked yet; and no status is guessed."""
        rig.start()
        rig.book(1, status="held")
        rig.book(2, status="under_negotiation")
        rig.sync()
        assert not rig.system.appointments()
        assert rig.quarantine().keys() == {booking_id(2)}
        assert "under_negotiation" in rig.quarantine()[booking_id(2)].message

    @check()
    @pytest.mark.parametrize(("before", "after"), _MOVES)
    def test_a_reschedule_keeps_instants_right(
        self, rig: RemoteRig, before: str, after: str
    ) -> None:
        """Also where the clocks change between the two, or within the appointment."""
        rig.start()
        rig.book(1, appointment_time=before, appointment_duration=90)
        rig.sync()
        first = rig.appointment(1)
        assert (first.starts_at, first.ends_at) == (at(before), at(before) + _HOUR_AND_A_HALF)
        rig.book(1, appointment_time=after)
        rig.sync()
        moved = rig.appointment(1)
        assert moved.id == first.id
        assert (moved.starts_at, moved.ends_at) == (at(after), at(after) + _HOUR_AND_A_HALF)

    @check(Lack.ARCHIVE)
    def test_cancelled_appointments_are_archived_where_that_is_wanted(self, rig: RemoteRig) -> None:
        """Taken away, and made anew when the booking is."""
        rig.start(statuses={"cancelled": "archive"})
        rig.book(1)
        rig.sync()
        rig.book(1, status="cancelled")
        rig.sync()
        assert not rig.system.appointments()
        written = rig.system.writes()
        rig.replay()
        rig.deliver()
        assert rig.system.writes() == written
        rig.book(1, status="confirmed")
        rig.sync()
        assert rig.appointment(1).status == "booked"
