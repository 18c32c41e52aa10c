"""Finding and reading: by key and e-mail at once, by phone once indexed, merges followed."""

from collections.abc import Sequence

import pytest

from tests.hubspot.conftest import START, Make, context, meeting, person
from tests.hubspot.fake import FakeHubspot, Fault
from tests.hubspot.portal import Owner as PortalOwner
from zimun_connectors.hubspot.remote import HubspotRemote
from zimun_sync.remotes.contract import By, Done, Kind, Owner


def ids(remote: HubspotRemote, by: By, value: str, kind: Kind = Kind.CONTACT) -> list[str]:
    """Ids of what is found by a value among others."""
    found: Sequence[object] = remote.find(kind, by, [value, "nobody"], []).get(value, [])
    return [each.id for each in found]  # type: ignore[attr-defined]


def test_what_was_just_written_is_found_by_key_and_e_mail(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.portal.lagging = True
    remote.create(Kind.CONTACT, [person()])
    remote.create(Kind.APPOINTMENT, [meeting()])
    contact, visit = fake.portal.of("contacts")[0].id, fake.portal.of("meetings")[0].id
    assert ids(remote, By.KEY, "email:ana@example.com") == [contact]
    assert ids(remote, By.EMAIL, "ana@example.com") == [contact]
    assert ids(remote, By.KEY, "main/a_1", Kind.APPOINTMENT) == [visit]


def test_an_e_mail_address_is_found_in_any_case(remote: HubspotRemote, fake: FakeHubspot) -> None:
    contact = fake.portal.add("contacts", email="Ana.Ruiz@Example.com")
    assert ids(remote, By.EMAIL, "ana.ruiz@example.com") == [contact]


def test_an_address_that_hubspot_does_not_take_hides_no_other(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    contact = fake.portal.add("contacts", email="ana@example.com")
    body = {"category": "VALIDATION_ERROR", "message": "Email address nobody is invalid"}
    fake.fail(Fault("contacts/read", 400, body=body))
    assert ids(remote, By.EMAIL, "ana@example.com") == [contact]
    assert fake.calls == {"contacts/read": 3}


def test_the_second_address_of_a_merged_contact_leads_to_it(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    ana = fake.portal.add("contacts", email="ana@example.com")
    other = fake.portal.add("contacts", email="ana@work.example.com")
    survivor = fake.portal.merge(ana, other)
    assert ids(remote, By.EMAIL, "ana@example.com") == [survivor]
    assert ids(remote, By.EMAIL, "ana@work.example.com") == [survivor]


@pytest.mark.parametrize("written", ["+43 660 1234567", "0660 / 123 45 67", "+436601234567"])
@pytest.mark.parametrize("field", ["phone", "mobilephone"])
def test_a_phone_number_is_found_however_it_was_typed(
    remote: HubspotRemote, fake: FakeHubspot, written: str, field: str
) -> None:
    contact = fake.portal.add("contacts", firstname="Ana", **{field: written})
    fake.portal.add("contacts", firstname="Eve", phone="+49 660 1234567")
    assert ids(remote, By.PHONE, "+436601234567") == [contact]


def test_several_contacts_with_one_number_are_all_found(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    contacts = [fake.portal.add("contacts", phone="+436601234567") for _ in range(250)]
    assert sorted(ids(remote, By.PHONE, "+436601234567")) == sorted(contacts)
    assert fake.calls == {"contacts/search": 2}


def test_a_search_lags_and_so_it_is_no_promise(remote: HubspotRemote, fake: FakeHubspot) -> None:
    fake.portal.lagging = True
    contact = fake.portal.add("contacts", phone="+436601234567")
    assert not ids(remote, By.PHONE, "+436601234567")
    fake.portal.index()
    assert ids(remote, By.PHONE, "+436601234567") == [contact]
    assert (Kind.CONTACT, By.PHONE) not in remote.abilities.finds


def test_a_preview_finds_nothing_by_a_key_that_the_portal_does_not_have_yet(
    make: Make, fake: FakeHubspot
) -> None:
    remote = make()
    remote.connect(context())
    keys = [f"main/a_{number}" for number in range(100)]
    assert not remote.find(Kind.APPOINTMENT, By.KEY, keys, ["hs_meeting_title"])
    assert fake.calls == {"details": 1, "meetings/read": 1, "properties/read": 3}
    assert fake.writes == 0


def test_present_values_are_read_as_they_are_meant(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    remote.create(Kind.APPOINTMENT, [meeting(hubspot_owner_id="5512")])
    visit = fake.portal.of("meetings")[0].id
    names = ["hs_timestamp", "hs_meeting_title", "hubspot_owner_id", "hs_meeting_body"]
    found = remote.read(Kind.APPOINTMENT, [visit], names)[visit]
    assert found.fields == {
        "hs_timestamp": START,
        "hs_meeting_title": "Cut 1",
        "hubspot_owner_id": "5512",
        "hs_meeting_body": None,
    }


@pytest.mark.parametrize("preserves_ids", [True, False])
def test_a_merged_contact_is_read_by_either_former_id_and_a_deleted_one_is_left_out(
    remote: HubspotRemote, fake: FakeHubspot, preserves_ids: bool
) -> None:
    fake.portal.preserves_ids = preserves_ids
    ana, eve, joe, kim = (
        fake.portal.add("contacts", email=f"{name}@example.com")
        for name in ("ana", "eve", "joe", "kim")
    )
    survivor = fake.portal.merge(ana, eve)
    fake.portal.delete("contacts", joe)
    found = remote.read(Kind.CONTACT, [ana, eve, joe, kim], ["email"])
    assert {asked: each.id for asked, each in found.items()} == {
        ana: survivor,
        eve: survivor,
        kim: kim,
    }


def test_reading_many_takes_one_call(remote: HubspotRemote, fake: FakeHubspot) -> None:
    contacts = [fake.portal.add("contacts", firstname=str(number)) for number in range(99)]
    assert remote.read(Kind.CONTACT, [*contacts, "999999"], ["firstname"]).keys() == set(contacts)
    assert fake.calls == {"contacts/read": 1}


def test_owners_are_known_by_address_and_id_inactive_ones_too(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.portal.owners = [PortalOwner(str(n), f"u{n}@example.com") for n in range(600)]
    fake.portal.owners.append(PortalOwner("900", "Gone@example.com", archived=True))
    fake.portal.owners.append(PortalOwner("901", "u3@example.com", archived=True))
    emails = ["u3@example.com", "u599@example.com", "gone@example.com", "who@example.com"]
    assert remote.owners_by_email(emails) == {
        "u3@example.com": Owner("3", active=True),
        "u599@example.com": Owner("599", active=True),
        "gone@example.com": Owner("900", active=False),
    }
    assert remote.owners_by_id(["3", "900", "77777"]) == {
        "3": Owner("3", active=True),
        "900": Owner("900", active=False),
    }


def test_active_owners_alone_are_asked_for_where_they_do(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.portal.owners = [PortalOwner("3", "ana@example.com")]
    remote.owners_by_email(["ana@example.com"])
    assert fake.calls == {"owners": 1}


def test_the_appointments_object_is_written_and_read_alike(make: Make, fake: FakeHubspot) -> None:
    remote = make(object="appointments")
    remote.connect(context())
    remote.prepare()
    visit = meeting()
    item = type(visit)(visit.key, {"hs_appointment_start": START, "hs_appointment_name": "Cut"})
    (outcome,) = remote.create(Kind.APPOINTMENT, [item])
    assert isinstance(outcome, Done)
    found = remote.read(Kind.APPOINTMENT, [outcome.id], ["hs_appointment_start"])
    assert found[outcome.id].fields == {"hs_appointment_start": START}
    assert not fake.portal.of("meetings")
