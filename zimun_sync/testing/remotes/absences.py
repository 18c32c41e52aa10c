"""What a system lacks has to be stated, and the statement has to be true."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import pytest

from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.contract import Kind
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.harness import Lack, Lacking, Trouble
from zimun_sync.testing.remotes.rig import RemoteRig


def assert_absent(rig: RemoteRig, lack: Lack) -> None:
    """The ability is not there, and what asks for it is refused or left out, not mistaken."""
    _ABSENT[lack](rig)


def _no_contacts(rig: RemoteRig) -> None:
    rig.start()
    rig.book(1)
    assert rig.sync() is Progress.IDLE
    assert rig.appointment(1).contact_id is None
    assert not rig.system.contacts()


def _no_owners(rig: RemoteRig) -> None:
    with suppress(Lacking):
        rig.system.add_user("ana@salon.example.com")
    rig.start()
    rig.book(1)
    assert rig.sync() is Progress.IDLE
    assert rig.appointment(1).owner is None
    assert not rig.notices("owner-missing")


def _status_not_told(status: str) -> Callable[[RemoteRig], None]:
    def absent(rig: RemoteRig) -> None:
        rig.start()
        rig.book(1, status=status)
        assert rig.sync() is Progress.IDLE
        assert rig.appointment(1).status == "booked"

    return absent


def _no_archive(rig: RemoteRig) -> None:
    rig.start(statuses={"cancelled": "archive"})
    rig.book(1)
    rig.sync()
    rig.book(1, status="cancelled")
    rig.sync()
    assert rig.quarantine()[booking_id(1)].code == "cannot-archive"
    assert rig.appointment(1).status == "booked"


def _refuses(ask: Callable[[RemoteRig], object]) -> Callable[[RemoteRig], None]:
    def absent(rig: RemoteRig) -> None:
        with pytest.raises(Lacking):
            ask(rig)

    return absent


def _twins(rig: RemoteRig) -> None:
    for name in ("Ana", "Eva"):
        rig.system.add_contact(name=name, email="shared@example.com")


_ABSENT: Final[Mapping[Lack, Callable[[RemoteRig], None]]] = {
    Lack.CONTACTS: _no_contacts,
    Lack.TWINS: _refuses(_twins),
    Lack.MERGE: _refuses(lambda rig: rig.system.merge("1", "2")),
    Lack.OWNERS: _no_owners,
    Lack.NO_SHOW: _status_not_told("no_show"),
    Lack.COMPLETED: _status_not_told("completed"),
    Lack.ARCHIVE: _no_archive,
    Lack.ACCOUNTS: _refuses(lambda rig: rig.system.swap_account()),
    Lack.FAULTS: _refuses(lambda rig: rig.system.fail(Trouble.UNAVAILABLE, Kind.APPOINTMENT)),
    Lack.REFUSALS: _refuses(lambda rig: rig.system.refuse("Eve")),
}
