"""Checks of what people do in the system: they edit, delete, and own appointments."""

import pytest

from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.contract import Kind
from zimun_sync.testing.remotes.base import RemoteContractBase, check
from zimun_sync.testing.remotes.harness import Lack
from zimun_sync.testing.remotes.rig import RemoteRig, at


class PeopleChecks(RemoteContractBase):
    """What people entered is theirs, times are ours."""

    @check()
    def test_an_edited_title_is_kept_and_an_edited_time_is_not(self, rig: RemoteRig) -> None:
        """The next change of the booking puts the times right and leaves the title alone."""
        rig.start()
        rig.book(1)
        rig.sync()
        seen = rig.appointment(1)
        rig.system.edit(Kind.APPOINTMENT, seen.id, title="Our best client")
        rig.system.edit(Kind.APPOINTMENT, seen.id, starts_at=at("2031-03-02T06:00:00+00:00"))
        rig.book(1, service_id="s_colour", appointment_time="2031-03-02T11:00:00+01:00")
        assert rig.sync() is Progress.IDLE
        after = rig.appointment(1)
        assert after.title == "Our best client"
        assert after.starts_at == at("2031-03-02T11:00:00+01:00")
        assert after.ends_at == at("2031-03-02T11:45:00+01:00")

    @check()
    def test_a_title_that_nobody_edited_follows(self, rig: RemoteRig) -> None:
        """`unless_edited` is no `once`."""
        rig.start(**_title(rig, "service.name"))
        rig.book(1)
        rig.sync()
        assert rig.appointment(1).title == "Cut"
        rig.book(1, service_id="s_colour")
        rig.sync()
        assert rig.appointment(1).title == "Colour"

    @check()
    def test_a_deleted_appointment_is_not_made_again(self, rig: RemoteRig) -> None:
        """A person wanted it so, and it is told once; cancelling it then is no trouble."""
        rig.start()
        rig.book(1)
        rig.sync()
        rig.system.delete(Kind.APPOINTMENT, rig.appointment(1).id)
        for changes in ({"appointment_duration": 30}, {"appointment_duration": 60}):
            rig.book(1, **changes)
            assert rig.sync() is Progress.IDLE
        rig.book(1, status="cancelled")
        assert rig.sync() is Progress.IDLE
        assert not rig.system.appointments()
        assert not rig.quarantine()
        assert len(rig.notices("deleted-there")) == 1

    @check()
    def test_a_deleted_appointment_is_made_again_where_that_is_wanted(self, rig: RemoteRig) -> None:
        """`recreate_deleted: true`; with its contact."""
        rig.start(recreate_deleted=True)
        rig.book(1)
        rig.sync()
        rig.system.delete(Kind.APPOINTMENT, rig.appointment(1).id)
        rig.book(1, appointment_duration=30)
        assert rig.sync() is Progress.IDLE
        again = rig.appointment(1)
        assert again.ends_at == at("2031-03-02T10:15:00+01:00")
        if not rig.lacks(Lack.CONTACTS):
            assert rig.contact(1).email == "person1@example.com"
        assert len(rig.system.appointments()) == 1

    @check(Lack.OWNERS)
    def test_the_owner_follows_the_staff_member(self, rig: RemoteRig) -> None:
        """By e-mail address, and again when another one takes over."""
        ana = rig.system.add_user("ana@salon.example.com")
        ben = rig.system.add_user("Ben@salon.example.com")
        rig.start()
        rig.book(1)
        rig.sync()
        assert rig.appointment(1).owner == ana
        rig.book(1, staff_id="st_ben")
        rig.sync()
        assert rig.appointment(1).owner == ben

    @check(Lack.OWNERS)
    @pytest.mark.parametrize("overwrite", [False, True])
    def test_an_owner_that_somebody_set_is_kept_unless_told_otherwise(
        self, rig: RemoteRig, overwrite: bool
    ) -> None:
        """`overwrite_owner`."""
        rig.system.add_user("ana@salon.example.com")
        ben = rig.system.add_user("ben@salon.example.com")
        eva = rig.system.add_user("eva@salon.example.com")
        rig.start(overwrite_owner=overwrite)
        rig.book(1)
        rig.sync()
        rig.system.edit(Kind.APPOINTMENT, rig.appointment(1).id, owner=eva)
        rig.book(1, staff_id="st_ben")
        rig.sync()
        assert rig.appointment(1).owner == (ben if overwrite else eva)

    @check(Lack.OWNERS)
    def test_owners_by_table_and_default(self, rig: RemoteRig) -> None:
        """For staff whose address is another one there."""
        ana = rig.system.add_user("a.n.other@example.com")
        desk = rig.system.add_user("desk@example.com")
        rig.start(owners={"table": {"st_ana": ana}, "default": desk})
        rig.book(1)
        rig.book(2, staff_id="st_ben")
        rig.sync()
        assert (rig.appointment(1).owner, rig.appointment(2).owner) == (ana, desk)
        assert not rig.notices("owner-missing")

    @check(Lack.OWNERS)
    def test_an_owner_who_is_not_there_is_left_out_and_told_once(self, rig: RemoteRig) -> None:
        """Neither unmapped nor inactive staff keeps an appointment from being written."""
        rig.system.add_user("ana@salon.example.com", active=False)
        rig.start()
        for number in (1, 2):
            rig.book(number)
            rig.book(10 + number, staff_id="st_ben")
            assert rig.sync() is Progress.IDLE
        assert {seen.owner for seen in rig.system.appointments()} == {None}
        told = [notice.subject for notice in rig.notices("owner-missing")]
        assert sorted(told) == ["st_ana", "st_ben"]
        assert not rig.quarantine()


def _title(rig: RemoteRig, name: str) -> dict[str, object]:
    """Settings that fill the appointment's title with a name."""
    return {"appointment": {"fields": {rig.harness.fields["title"]: name}}}
