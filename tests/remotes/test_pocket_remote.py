"""The little CRM, and the remote that speaks to it: what the engine may count on."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from zimun_sync.errors import SinkUnavailable
from zimun_sync.remotes.contract import (
    Archives,
    BatchRefused,
    By,
    Cancels,
    Done,
    Exists,
    Gone,
    Item,
    Kind,
    KnowsOwners,
    Linking,
    Links,
    NotSent,
    Owner,
    Pair,
    Refused,
    RemoteContext,
    Stale,
)
from zimun_sync.testing.remotes.pocket import (
    Fault,
    PocketCrm,
    PocketDesk,
    PocketRemote,
    PocketRules,
    pocket_remote,
)

START = datetime(2031, 3, 3, 9, 0, tzinfo=UTC)
Make = Callable[..., tuple[PocketRemote, PocketDesk]]


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    """A connected remote on a CRM with these rules, and a look at its desk."""

    def made(**rules: Any) -> tuple[PocketRemote, PocketDesk]:
        crm = PocketCrm(rules=PocketRules(**rules))
        request.addfinalizer(crm.close)
        remote = pocket_remote(crm)
        remote.connect(_context())
        remote.prepare()
        return remote, PocketDesk(crm)

    return made


def _context(called: Callable[[], None] = lambda: None) -> RemoteContext:
    return RemoteContext("pocket", lambda: START, Event(), called)


def _person(key: str = "email:ana@example.com", **fields: Any) -> Item:
    known = {"name": "Ana", "email": "Ana@example.com", "phone": "+436601234567"}
    return Item(key, known | fields, token=f"t-{key}")


def _visit(key: str = "main/a_1", **fields: Any) -> Item:
    times = {"starts_at": START, "ends_at": START + timedelta(minutes=45)}
    return Item(key, {"title": "Cut", "status": "booked", **times, **fields}, token=f"t-{key}")


def _created(remote: PocketRemote, kind: Kind, item: Item) -> str:
    (outcome,) = remote.create(kind, [item])
    assert isinstance(outcome, Done)
    return outcome.id


def test_it_has_every_ability_of_the_protocol(make: Make) -> None:
    remote, _ = make(cancels_by_call=True)
    assert all(isinstance(remote, each) for each in (Archives, Cancels, KnowsOwners, Links))
    assert not isinstance(make()[0], Cancels)


def test_what_is_created_can_be_read_and_found(make: Make) -> None:
    remote, _ = make()
    contact = _created(remote, Kind.CONTACT, _person())
    visit = _created(remote, Kind.APPOINTMENT, _visit())
    read = remote.read(Kind.APPOINTMENT, [visit, "a99"], ["starts_at", "notes"])
    assert read.keys() == {visit}
    assert read[visit].fields == {"starts_at": START, "notes": None}
    for by, value in ((By.EMAIL, "ana@example.com"), (By.PHONE, "+436601234567")):
        found = remote.find(Kind.CONTACT, by, [value, "nobody"], ["name"])
        assert [(each.id, each.fields) for each in found[value]] == [(contact, {"name": "Ana"})]
        assert not found["nobody"]
    assert remote.find(Kind.APPOINTMENT, By.KEY, ["main/a_1"], [])["main/a_1"][0].id == visit


def test_an_update_writes_the_fields_given_and_clears_those_that_are_none(make: Make) -> None:
    remote, desk = make()
    contact = _created(remote, Kind.CONTACT, _person())
    remote.update(Kind.CONTACT, [Item("k", {"phone": None, "name": "Ana M."}, id=contact)])
    assert desk.contacts()[0].fields == {"name": "Ana M.", "email": "Ana@example.com"}


def test_an_update_never_creates(make: Make) -> None:
    remote, desk = make()
    assert remote.update(Kind.CONTACT, [Item("k", {"name": "Ana"}, id="c99")]) == [Gone("k")]
    assert not desk.contacts()


def test_a_create_repeated_with_its_token_doubles_nothing(make: Make) -> None:
    remote, desk = make()
    assert Kind.CONTACT in remote.abilities.safe_creates
    assert _created(remote, Kind.CONTACT, _person()) == _created(remote, Kind.CONTACT, _person())
    assert len(desk.contacts()) == 1


def test_without_tokens_and_keys_a_repeated_create_doubles(make: Make) -> None:
    remote, desk = make(knows_tokens=False, keeps_keys=False)
    assert not remote.abilities.safe_creates
    assert (Kind.APPOINTMENT, By.KEY) not in remote.abilities.finds
    for _ in range(2):
        _created(remote, Kind.APPOINTMENT, _visit())
    assert len(desk.appointments()) == 2


@pytest.mark.parametrize("rules", [{"keeps_keys": True}, {"unique_emails": True}])
def test_a_create_that_meets_another_of_its_kind_tells_which(
    make: Make, rules: dict[str, Any]
) -> None:
    remote, _ = make(knows_tokens=False, **rules)
    contact = _created(remote, Kind.CONTACT, _person())
    assert remote.create(Kind.CONTACT, [_person()]) == [Exists("email:ana@example.com", contact)]


def test_a_row_that_it_refuses_is_refused_alone(make: Make) -> None:
    remote, desk = make()
    desk.refuse("Eve")
    eve = _person("email:eve@example.com", name="Eve", email="eve@example.com")
    outcomes = remote.create(Kind.CONTACT, [_person(), eve])
    assert isinstance(outcomes[0], Done)
    message = "The value 'Eve' is not valid here."
    assert outcomes[1] == Refused("email:eve@example.com", "invalid-value", message)


def test_an_atomic_system_refuses_the_whole_call_and_writes_nothing(make: Make) -> None:
    remote, desk = make(atomic=True)
    desk.refuse("Eve")
    with pytest.raises(BatchRefused, match="not valid here") as caught:
        remote.create(Kind.CONTACT, [_person(), _person("email:eve@example.com", name="Eve")])
    assert caught.value.code == "invalid-value"
    assert not desk.contacts()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ends_at": START - timedelta(minutes=1)}, "invalid-times"),
        ({"status": "maybe"}, "invalid-status"),
        ({"colour": "red"}, "unknown-field"),
    ],
)
def test_what_no_system_would_take_is_refused(
    make: Make, fields: dict[str, Any], code: str
) -> None:
    (outcome,) = make()[0].create(Kind.APPOINTMENT, [_visit(**fields)])
    assert isinstance(outcome, Refused)
    assert outcome.code == code


def test_more_than_a_batch_is_refused(make: Make) -> None:
    remote, _ = make(batch=2)
    assert remote.abilities.batch == 2
    with pytest.raises(BatchRefused, match="at most 2"):
        remote.create(Kind.APPOINTMENT, [_visit(f"main/a_{number}") for number in range(3)])


def test_an_outdated_revision_is_stale(make: Make) -> None:
    remote, desk = make(wants_versions=True)
    visit = _created(remote, Kind.APPOINTMENT, _visit())
    desk.edit("appointment", visit, title="Colour")
    old = Item("k", {"notes": "late"}, id=visit, version="1")
    assert remote.update(Kind.APPOINTMENT, [old]) == [Stale("k")]
    version = remote.read(Kind.APPOINTMENT, [visit], [])[visit].version
    fresh = Item("k", {"notes": "late"}, id=visit, version=version)
    assert remote.update(Kind.APPOINTMENT, [fresh]) == [Done("k", visit, "3")]


def test_links_are_made_and_undone_by_calls(make: Make) -> None:
    remote, desk = make()
    contact = _created(remote, Kind.CONTACT, _person())
    visit = _created(remote, Kind.APPOINTMENT, _visit())
    pair = Pair("main/a_1", visit, contact)
    for _ in range(2):
        assert isinstance(*_of(remote.link([pair]), Done))
    assert desk.appointments()[0].contact_ids == (contact,)
    for _ in range(2):
        assert isinstance(*_of(remote.unlink([pair]), Done))
    assert desk.appointments()[0].contact_ids == ()
    assert remote.link([Pair("main/a_1", visit, "c99")]) == [Gone("main/a_1")]


def _of(outcomes: Any, kind: type) -> tuple[Any, type]:
    (outcome,) = outcomes
    return outcome, kind


def test_a_contact_may_be_a_field_of_the_appointment(make: Make) -> None:
    remote, desk = make(linking=Linking.FIELD)
    contact = _created(remote, Kind.CONTACT, _person())
    visit = Item("main/a_1", _visit().fields, contact_id=contact)
    made = _created(remote, Kind.APPOINTMENT, visit)
    assert desk.appointments()[0].contact_ids == (contact,)
    remote.update(Kind.APPOINTMENT, [Item("main/a_1", {"notes": "late"}, id=made)])
    assert desk.appointments()[0].contact_ids == (contact,)
    remote.update(Kind.APPOINTMENT, [Item("main/a_1", {}, id=made, retied=True)])
    assert desk.appointments()[0].contact_ids == ()


@pytest.mark.parametrize("by_call", [True, False])
def test_a_cancellation_is_a_status_or_a_call(make: Make, *, by_call: bool) -> None:
    remote, desk = make(cancels_by_call=by_call)
    visit = _created(remote, Kind.APPOINTMENT, _visit())
    for _ in range(2):
        if isinstance(remote, Cancels):
            remote.cancel([Item("k", {"notes": "ill"}, id=visit)])
        else:
            remote.update(Kind.APPOINTMENT, [Item("k", {"status": "cancelled"}, id=visit)])
    assert desk.appointments()[0].fields["status"] == "cancelled"


def test_what_is_archived_is_gone(make: Make) -> None:
    remote, desk = make()
    visit = _created(remote, Kind.APPOINTMENT, _visit())
    assert isinstance(*_of(remote.archive([Item("k", {}, id=visit)]), Done))
    assert remote.archive([Item("k", {}, id=visit)]) == [Gone("k")]
    assert not desk.appointments()


def test_a_merged_contact_is_found_by_its_former_id(make: Make) -> None:
    remote, desk = make()
    contact = _created(remote, Kind.CONTACT, _person())
    visit = _created(remote, Kind.APPOINTMENT, _visit())
    remote.link([Pair("main/a_1", visit, contact)])
    other = desk.add("contact", name="Ana Maria")
    desk.merge(contact, other)
    assert remote.read(Kind.CONTACT, [contact], ["name"])[contact].id == other
    assert remote.update(Kind.CONTACT, [Item("k", {"name": "A"}, id=contact)]) == [Gone("k")]
    assert desk.appointments()[0].contact_ids == (other,)


def test_a_search_that_lags_promises_nothing(make: Make) -> None:
    remote, desk = make(search_lags=True)
    _created(remote, Kind.CONTACT, _person())
    assert not remote.abilities.finds
    assert not remote.find(Kind.CONTACT, By.EMAIL, ["ana@example.com"], [])["ana@example.com"]
    desk.reindex()
    assert remote.find(Kind.CONTACT, By.EMAIL, ["ana@example.com"], [])["ana@example.com"]


def test_users_are_known_by_address_and_id(make: Make) -> None:
    remote, desk = make()
    desk.add_user("u1", "Ana@example.com")
    desk.add_user("u2", "eva@example.com", active=False)
    emails = ["ana@example.com", "eva@example.com", "nobody@example.com"]
    owners = {"ana@example.com": Owner("u1", True), "eva@example.com": Owner("u2", False)}
    assert remote.owners_by_email(emails) == owners
    assert remote.owners_by_id(["u2", "u9"]) == {"u2": Owner("u2", False)}


def test_a_fault_before_the_commit_writes_nothing_and_one_after_it_all(make: Make) -> None:
    remote, desk = make()
    desk.fail(Fault.UNAVAILABLE, "insert contact")
    desk.fail(Fault.COMMIT_THEN_FAIL, "insert contact")
    for contacts in (0, 1):
        with pytest.raises(SinkUnavailable, match="Pocket CRM: 50"):
            remote.create(Kind.CONTACT, [_person(f"k{contacts}")])
        assert len(desk.contacts()) == contacts
        assert desk.calls()[-1] == ("insert contact", 1)
    _created(remote, Kind.CONTACT, _person("k2"))


def test_a_connection_that_cannot_be_made_is_known_to_have_written_nothing(make: Make) -> None:
    remote, desk = make()
    desk.fail(Fault.REFUSED_CONNECTION, "insert contact")
    with pytest.raises(NotSent):
        remote.create(Kind.CONTACT, [_person()])
    assert not desk.contacts()


def test_a_fault_for_ever_ends_when_it_is_mended(make: Make) -> None:
    remote, desk = make()
    desk.fail(Fault.UNAVAILABLE, times=-1)
    for _ in range(3):
        with pytest.raises(SinkUnavailable):
            remote.find(Kind.CONTACT, By.EMAIL, ["ana@example.com"], [])
    desk.mend()
    _created(remote, Kind.CONTACT, _person())


def test_a_field_that_is_ignored_is_ignored_without_a_word(make: Make) -> None:
    remote, desk = make()
    desk.ignore("starts_at")
    _created(remote, Kind.APPOINTMENT, _visit())
    assert "starts_at" not in desk.appointments()[0].fields


def test_every_call_is_told_of_and_writes_are_counted_in_objects(make: Make) -> None:
    remote, desk = make()
    made: list[None] = []
    remote.connect(_context(lambda: made.append(None)))
    remote.create(Kind.CONTACT, [_person(), _person("k2")])
    remote.find(Kind.CONTACT, By.PHONE, ["+436601234567"], [])
    assert len(made) == 3  # connecting is a call too
    assert desk.writes("insert contact") == 2
    assert desk.writes() == desk.writes("prepare") + 2


def test_another_account_is_told(make: Make) -> None:
    remote, desk = make()
    assert remote.connect(_context()).id == "pocket-1"
    desk.swap_account("pocket-2")
    assert remote.connect(_context()).id == "pocket-2"


@pytest.mark.parametrize(("fault", "contacts"), [(Fault.KILL_BEFORE, 0), (Fault.KILL_AFTER, 1)])
def test_its_file_outlives_a_killed_process(tmp_path: Path, fault: Fault, contacts: int) -> None:
    path = tmp_path / "pocket.sqlite"
    crm = PocketCrm(path)
    crm.prepare()
    PocketDesk(crm).fail(fault, "insert contact")
    crm.close()
    script = (
        "import sys; from pathlib import Path; from zimun_sync.testing.remotes.pocket import *;"
        "PocketCrm(Path(sys.argv[1])).insert('contact', [PocketObject('', {'name': 'Ana'})])"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == -9
    again = PocketCrm(path)
    assert len(PocketDesk(again).contacts()) == contacts
    again.insert("contact", [])
    again.close()
