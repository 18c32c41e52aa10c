"""Forgetting people in a remote system: their appointments, their contacts, and what is remembered.

The little CRM here can erase contacts, unless a test says otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from zimun_sync.normalize.suppressions import digests_of
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.remotes.contract import Kind, Remote
from zimun_sync.remotes.settings import RemoteSettings
from zimun_sync.remotes.sink import remote_sink
from zimun_sync.sinks import Erasure, Forgets, Forgotten, Sink
from zimun_sync.testing import files_with
from zimun_sync.testing.remotes.bookings import SOURCE, booking_id
from zimun_sync.testing.remotes.pocket import PocketCrm, PocketRules
from zimun_sync.testing.remotes.pocket.connector import DEFAULTS
from zimun_sync.testing.remotes.pocket.harness import PocketHarness
from zimun_sync.testing.remotes.pocket.remote import CancellingPocketRemote, PocketRemote
from zimun_sync.testing.remotes.rig import SINK, RemoteRig

_NAMELESS: dict[str, Any] = dict.fromkeys(
    ("contact_name", "contact_email", "contact_phone", "notes")
)
_EMAIL, _PHONE = "person1@example.com", "+436601000001"


class ErasingRemote(PocketRemote):
    """The same, which erases contacts but those that it holds on to."""

    held_on_to: Mapping[str, str] = {}

    def erase(self, ids: Sequence[str], /) -> Mapping[str, str]:
        for each in set(ids) - self.held_on_to.keys():
            with self._crm.storage.transaction():
                self._crm.storage.take_away(each, "erased")
        return {each: why for each, why in self.held_on_to.items() if each in ids}


class CancellingErasingRemote(ErasingRemote, CancellingPocketRemote):
    """The same, where a cancellation is a call of its own."""


class ErasingHarness(PocketHarness):
    """Sinks on such a CRM."""

    remote: type[PocketRemote] = ErasingRemote

    def sink_on(self, crm: PocketCrm, settings: RemoteSettings) -> Sink:
        remote: Remote = self.remote(crm)
        return remote_sink(remote, settings, DEFAULTS)


@pytest.fixture
def harness(tmp_path: Path) -> ErasingHarness:
    return ErasingHarness(tmp_path / "pocket.sqlite", PocketRules(), frozenset())


@pytest.fixture
def rig(tmp_path: Path, harness: ErasingHarness) -> Iterator[RemoteRig]:
    with RemoteRig(tmp_path, harness) as rig:
        rig.start()
        yield rig


def _suppress(rig: RemoteRig, *, email: str = _EMAIL, phone: str = _PHONE) -> None:
    phones = [phone] if phone else []
    digests = digests_of(rig.store.forgettings.key(), [email], phones, [], [None])
    rig.store.forgettings.request(digests, [SINK])


def _forget(rig: RemoteRig, *numbers: int) -> Erasure:
    """Write the bookings without anything personal, then forget."""
    for number in numbers:
        rig.book(number, **_NAMELESS)
    assert rig.sync() is Progress.IDLE
    sink = rig.sink
    assert isinstance(sink, Forgets)
    keys = [booking_id(number) for number in numbers]
    return sink.forget(Forgotten({(SOURCE, "appointments"): keys}))


def _remembered(rig: RemoteRig) -> str:
    """Everything that the state remembers of the remote system, as text."""
    tables = ("remote_ids", "remote_persons", "sink_notices")
    with rig.store._database.read() as connection:
        found = [
            tuple(row)
            for table in tables
            for row in connection.execute(sa.text(f"SELECT * FROM {table}"))
        ]
    return repr(found)


def _in_files(folder: Path, text: str) -> list[str]:
    """The state's files with such a person key, freed pages and logs included."""
    return [name for name in files_with(folder, f"email:{text}") if "pocket" not in name]


def test_a_contact_that_this_program_made_is_erased(rig: RemoteRig, tmp_path: Path) -> None:
    rig.book(1, notes="Bring shoes")
    rig.book(2)
    rig.sync()
    other = rig.contact(2)
    _suppress(rig)
    erasure = _forget(rig, 1)
    assert erasure.complete, erasure.message
    assert rig.system.contacts() == [other]
    assert rig.appointment(1).contact_id is None
    remembered = _remembered(rig)
    assert "person1" not in remembered
    assert _PHONE not in remembered
    assert "person2@example.com" in remembered
    assert _in_files(tmp_path, "person2@example.com")
    assert not _in_files(tmp_path, _EMAIL)
    assert _forget(rig, 1).complete


def test_fields_that_an_empty_value_leaves_alone_are_emptied(
    rig: RemoteRig, harness: ErasingHarness
) -> None:
    rig.book(1, notes="Bring shoes")
    rig.sync()
    _forget(rig, 1)
    assert "notes" not in _fields(harness, rig.appointment(1).id)
    assert rig.appointment(1).title == "Cut"
    rig.book(1, appointment_duration=30)
    assert rig.sync() is Progress.IDLE
    assert "notes" not in _fields(harness, rig.appointment(1).id)


def test_fields_that_are_written_once_are_written_again(
    rig: RemoteRig, harness: ErasingHarness
) -> None:
    rig.start(appointment={"fields": {"title": {"template": "{{ last_name }}", "write": "once"}}})
    rig.book(1, contact_name="Zoe Secret")
    rig.sync()
    assert rig.appointment(1).title == "Secret"
    assert _forget(rig, 1).complete
    assert rig.appointment(1).title == ""


def test_an_appointment_that_was_cancelled_before(tmp_path: Path) -> None:
    """Where that is a call of its own, nothing is written to it after that."""
    harness = ErasingHarness(
        tmp_path / "pocket.sqlite", PocketRules(cancels_by_call=True), frozenset()
    )
    harness.remote = CancellingErasingRemote
    with RemoteRig(tmp_path, harness) as rig:
        rig.start()
        rig.book(1, notes="Bring shoes")
        rig.sync()
        rig.book(1, status="cancelled")
        rig.sync()
        assert _forget(rig, 1).complete
        assert not rig.system.contacts()
        assert "notes" not in _fields(harness, rig.appointment(1).id)
        assert rig.appointment(1).status == "cancelled"


def _fields(harness: ErasingHarness, appointment_id: str) -> Mapping[str, Any]:
    crm = PocketCrm(Path(harness.address))
    try:
        return crm.get("appointment", [appointment_id])[appointment_id].fields
    finally:
        crm.close()


def test_what_somebody_edited_is_told(rig: RemoteRig, harness: ErasingHarness) -> None:
    rig.book(1, notes="Bring shoes")
    rig.sync()
    appointment = rig.appointment(1).id
    rig.system.edit(Kind.APPOINTMENT, appointment, notes="Called me at home")
    erasure = _forget(rig, 1)
    assert not erasure.complete
    assert f"'notes', which somebody edited, of appointment {appointment}" in erasure.message
    assert "Called" not in erasure.message
    assert _fields(harness, appointment)["notes"] == "Called me at home"


def test_a_contact_that_was_there_before_is_left_to_a_person(rig: RemoteRig) -> None:
    found = rig.system.add_contact(name="Person 1", email=_EMAIL)
    rig.book(1)
    rig.sync()
    assert rig.contact(1).id == found
    _suppress(rig)
    erasure = _forget(rig, 1)
    assert not erasure.complete
    assert f"a contact that was there before: {found}" in erasure.message
    assert [each.id for each in rig.system.contacts()] == [found]
    assert "person1" not in _remembered(rig)
    assert [notice.subject for notice in rig.notices("erase-by-hand")] == [found]


def test_a_contact_that_others_share_stays_theirs(rig: RemoteRig) -> None:
    """Two people with one telephone number, of whom one asked."""
    shared = {"contact_email": None, "contact_phone": _PHONE}
    rig.book(1, contact_name="One", **shared)
    rig.book(2, contact_name="Another", **shared)
    rig.sync()
    contact = rig.contact(2)
    assert rig.contact(1) == contact
    erasure = _forget(rig, 1)
    assert not erasure.complete
    assert f"a contact that others share: {contact.id}" in erasure.message
    rig.book(2, appointment_duration=30)
    rig.book(3, contact_name="Another", **shared)
    assert rig.sync() is Progress.IDLE
    assert rig.contact(2) == rig.contact(3) == contact
    assert len(rig.system.contacts()) == 1


def test_a_former_contact_is_found_by_its_address(rig: RemoteRig) -> None:
    """The appointment has been somebody else's since."""
    rig.book(1)
    rig.sync()
    other = {"contact_name": "Other", "contact_email": "other@example.com"}
    rig.book(1, **other, contact_phone="+436617654321")
    rig.sync()
    assert len(rig.system.contacts()) == 2
    _suppress(rig)
    assert _forget(rig).complete
    assert [each.email for each in rig.system.contacts()] == ["other@example.com"]
    assert "person1" not in _remembered(rig)


def test_what_it_refuses_to_erase_is_told(rig: RemoteRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.book(1)
    rig.sync()
    contact = rig.contact(1).id
    monkeypatch.setattr(ErasingRemote, "held_on_to", {contact: "a legal hold"})
    erasure = _forget(rig, 1)
    assert not erasure.complete
    assert f"would not erase (a legal hold): {contact}" in erasure.message


def test_a_system_that_cannot_erase_leaves_it_to_a_person(
    rig: RemoteRig, harness: ErasingHarness
) -> None:
    harness.remote = PocketRemote
    rig.restart()
    rig.book(1)
    rig.sync()
    contact = rig.contact(1).id
    erasure = _forget(rig, 1)
    assert not erasure.complete
    assert f"erase contact {contact}" in erasure.message


def test_nothing_is_held_of_those_whom_it_never_had(rig: RemoteRig) -> None:
    rig.book(1)
    rig.sync()
    sink = rig.sink
    assert isinstance(sink, Forgets)
    before = rig.system.contacts()
    erasure = sink.forget(Forgotten({(SOURCE, "appointments"): ["nobody"]}))
    assert erasure == Erasure(complete=True, message="It held nothing about them.")
    assert rig.system.contacts() == before


def test_the_person_who_comes_back_is_a_new_contact(rig: RemoteRig) -> None:
    rig.book(1)
    rig.sync()
    former = rig.contact(1).id
    _forget(rig, 1)
    rig.book(4, contact_email=_EMAIL)
    assert rig.sync() is Progress.IDLE
    assert rig.contact(4).id != former
