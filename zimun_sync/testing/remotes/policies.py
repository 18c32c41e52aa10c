"""Checks of what the settings of every remote sink promise."""

from datetime import date
from typing import Any

import pytest

from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.contract import Kind
from zimun_sync.store import ParkKind
from zimun_sync.testing.remotes.base import RemoteContractBase, check
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.harness import Lack, Trouble
from zimun_sync.testing.remotes.rig import RemoteRig, at

_FIRST_DAY = range(1, 8)


class PolicyChecks(RemoteContractBase):
    """First day, brakes, null policies, previews, and writes that are looked at again."""

    @check()
    def test_nothing_is_written_before_somebody_agrees(self, rig: RemoteRig) -> None:
        """The sink waits, the pull goes on; activated, it takes up everything."""
        before = rig.system.writes()
        rig.configure()
        rig.book(1)
        assert rig.sync() is Progress.PARKED
        assert rig.parked is not None
        assert rig.parked.kind is ParkKind.INACTIVE
        assert rig.system.writes() == before
        rig.activate()
        assert rig.deliver() is Progress.IDLE
        assert rig.appointment(1).status == "booked"

    @check()
    def test_older_appointments_are_left_out(self, rig: RemoteRig) -> None:
        """`start_from`; but one that is there already is kept true."""
        rig.start(start_from=date(2031, 1, 1))
        rig.book(1, appointment_time="2030-12-31T09:00:00+01:00")
        rig.book(2, appointment_time="2031-01-01T09:00:00+01:00")
        rig.sync()
        assert rig.appointment_or_none(1) is None
        assert len(rig.system.appointments()) == 1
        rig.book(2, appointment_time="2030-12-30T09:00:00+01:00")
        rig.sync()
        assert rig.appointment(2).starts_at == at("2030-12-30T09:00:00+01:00")

    @check()
    def test_a_run_that_would_create_too_much_is_held(self, rig: RemoteRig) -> None:
        """`max_creates_per_run`; `resume` lets it go on where it was."""
        most = len(_FIRST_DAY) - 1
        rig.configure(max_creates_per_run=most)
        rig.activate(allowance=0)
        for number in _FIRST_DAY:
            rig.book(number)
        assert rig.sync() is Progress.PARKED
        assert rig.parked is not None
        assert rig.parked.kind is ParkKind.HELD
        assert len(rig.system.contacts()) + len(rig.system.appointments()) <= most
        assert rig.deliver() is Progress.PARKED
        rig.resume()
        assert rig.deliver() is Progress.IDLE
        assert len(rig.system.appointments()) == len(_FIRST_DAY)
        assert not rig.quarantine()

    @check()
    @pytest.mark.parametrize(("policy", "left"), [("skip", "Bring shoes"), ("clear", "")])
    def test_an_empty_value_is_skipped_or_clears(
        self, rig: RemoteRig, policy: str, left: str
    ) -> None:
        """As the field's `null` says."""
        title = {"from": "notes", "null": policy, "write": "always"}
        rig.start(appointment={"fields": {rig.harness.fields["title"]: title}})
        rig.book(1, notes="Bring shoes")
        rig.sync()
        assert rig.appointment(1).title == "Bring shoes"
        rig.book(1, notes=None)
        rig.sync()
        assert rig.appointment(1).title == left

    @check(Lack.CONTACTS)
    @pytest.mark.parametrize(("policy", "left"), [("skip", "+436601000001"), ("clear", None)])
    def test_an_empty_phone_is_skipped_or_clears(
        self, rig: RemoteRig, policy: str, left: str | None
    ) -> None:
        """The same of a contact's field."""
        phone = {"from": "contact_phone", "null": policy, "write": "always"}
        rig.start(contact={"fields": {rig.harness.fields["phone"]: phone}})
        rig.book(1)
        rig.sync()
        rig.book(1, contact_phone=None)
        rig.sync()
        assert rig.contact(1).phone == left

    @check()
    def test_what_is_only_to_be_updated_is_not_created(self, rig: RemoteRig) -> None:
        """`write: update_only`, and then nothing that is `create_only` is changed."""
        rig.start(appointment={"write": "update_only"})
        rig.book(1)
        rig.sync()
        assert not rig.system.appointments()
        rig.configure(appointment={"write": "create_only"})
        rig.sync()
        before = rig.appointment(1)
        rig.book(1, appointment_duration=30)
        rig.sync()
        assert rig.appointment(1) == before

    @check()
    def test_a_preview_tells_exactly_what_is_done_then(self, rig: RemoteRig) -> None:
        """What is unchanged is not in it, and nothing is written for it."""
        rig.start()
        for number in (1, 2, 3):
            rig.book(number)
        rig.sync()
        rig.book(1, appointment_time="2031-03-02T15:00:00+01:00")
        rig.book(2, status="cancelled")
        rig.book(3, something_of_the_source="changed")
        rig.book(4)
        rig.pull()
        written, before = rig.system.writes(), list(rig.system.appointments())
        found = rig.preview()
        assert rig.system.writes() == written
        assert list(rig.system.appointments()) == before
        assert _actions(found) == {
            (booking_id(1), "update"),
            (booking_id(2), "cancel"),
            (booking_id(4), "create"),
        }
        (moved,) = (each for each in found if each.key == booking_id(1))
        assert moved.fields
        assert rig.harness.fields["title"] not in {field.name for field in moved.fields}
        rig.deliver()
        assert rig.appointment(1).starts_at == at("2031-03-02T15:00:00+01:00")
        assert rig.appointment(2).status == "cancelled"
        assert not rig.preview()

    @check()
    def test_a_preview_of_the_first_day_counts_what_is_then_made(self, rig: RemoteRig) -> None:
        """Before anything was agreed to, and without making anything ready there."""
        rig.configure()
        rig.book(1, contact_email="both@example.com")
        rig.book(2, contact_email="both@example.com")
        rig.pull()
        written = rig.system.writes()
        made = [(each.kind, each.action) for each in rig.preview() if each.action == "create"]
        assert rig.system.writes() == written
        contacts = 0 if rig.lacks(Lack.CONTACTS) else 1
        assert sorted(made) == [("appointment", "create")] * 2 + [("contact", "create")] * contacts

    @check(Lack.FAULTS)
    def test_writes_are_looked_at_again_where_that_is_wanted(self, rig: RemoteRig) -> None:
        """`verify_writes`: a value that is silently ignored is not taken for written."""
        rig.start(verify_writes=True)
        rig.book(1)
        rig.book(2)
        rig.sync()
        assert not rig.quarantine()
        rig.system.fail(Trouble.IGNORES_START, Kind.APPOINTMENT)
        rig.book(1, appointment_time="2031-03-02T15:00:00+01:00")
        rig.book(2, status="cancelled")
        rig.sync()
        assert rig.quarantine().keys() == {booking_id(1)}
        rig.system.mend()
        rig.retry()
        rig.deliver()
        assert not rig.quarantine()
        assert rig.appointment(1).starts_at == at("2031-03-02T15:00:00+01:00")


def _actions(found: Any) -> set[tuple[str, str]]:
    return {(each.key, each.action) for each in found if each.action not in {"link", "skip"}}
