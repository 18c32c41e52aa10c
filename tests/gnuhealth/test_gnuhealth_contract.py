"""The contract of remote systems, held against a real clinic's system."""

from pathlib import Path

import pytest

from tests.gnuhealth.desk import Harness
from tests.systems.gnuhealth import Clinic
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.contract import Kind
from zimun_sync.testing.remotes import RemoteContract
from zimun_sync.testing.remotes.base import check
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.rig import RemoteRig, at


class TestGnuHealth(RemoteContract):
    """What it asks of appointments without a patient is replaced: there are none."""

    clinic: Clinic | None = None

    @pytest.fixture(autouse=True)
    def _open(self, clinic: Clinic) -> None:
        self.clinic = clinic

    def harness(self, folder: Path, address: str = "") -> Harness:
        return Harness(None, address) if address else Harness(self.clinic)

    @check()
    def test_a_person_whom_nobody_could_know_again(self, rig: RemoteRig) -> None:
        """Is refused in the system's own words, and written once somebody can be known."""
        rig.start()
        rig.book(1, contact_email=None, contact_phone=None)
        rig.book(2)
        assert rig.sync() is Progress.IDLE
        assert rig.quarantine().keys() == {booking_id(1)}
        assert "Patient" in rig.quarantine()[booking_id(1)].message
        rig.book(1, contact_email="person1@example.com")
        assert rig.sync() is Progress.IDLE
        assert not rig.quarantine()
        assert rig.contact(1).name == "Person 1"

    @check()
    def test_nobody_any_more_unties(self, rig: RemoteRig) -> None:
        """The former patient stays, and the rest is kept true."""
        rig.start()
        rig.book(1)
        rig.sync()
        before = rig.contact(1)
        nobody = {"contact_name": None, "contact_email": None, "contact_phone": None}
        rig.book(1, **nobody, appointment_time="2031-03-02T15:00:00+01:00")
        assert rig.sync() is Progress.IDLE
        assert rig.contact(1) == before
        assert rig.appointment(1).starts_at == at("2031-03-02T15:00:00+01:00")

    @check()
    def test_a_deleted_contact_is_not_made_again(self, rig: RemoteRig) -> None:
        """What is there stays with the archived patient; further appointments are refused."""
        rig.start()
        rig.book(1)
        rig.sync()
        before = rig.appointment(1)
        rig.system.delete(Kind.CONTACT, rig.contact(1).id)
        self._come_again(rig)
        assert not rig.system.contacts()
        assert rig.appointment(1).contact_id == before.contact_id
        assert rig.appointment(1).ends_at != before.ends_at
        assert rig.quarantine().keys() == {booking_id(2)}
        assert "Patient" in rig.quarantine()[booking_id(2)].message
        assert len(rig.notices("deleted-there")) == 1

    # Checks that are replaced would run after it.
    test_zz_every_check_was_made = RemoteContract.test_zz_every_check_was_made
