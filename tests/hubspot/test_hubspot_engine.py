"""Bookings on their way through the whole engine into a portal: figures, refusals, races."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hubspot.fake import Fault
from tests.hubspot.harness import HubspotHarness
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.rig import RemoteRig

MANY = 1_000


@pytest.fixture
def harness() -> Iterator[HubspotHarness]:
    harness = HubspotHarness("")
    yield harness
    harness.close()


@pytest.fixture
def rig(tmp_path: Path, harness: HubspotHarness) -> Iterator[RemoteRig]:
    with RemoteRig(tmp_path, harness) as rig:
        yield rig


def test_a_thousand_appointments_take_ten_calls_of_each_kind(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    fake = harness.fake
    rig.start()
    for number in range(MANY):
        rig.book(number)
    rig.sync()
    assert len(fake.portal.of("meetings")) == len(fake.portal.of("contacts")) == MANY
    assert len(fake.portal.associations) == MANY
    assert fake.calls["contacts/upsert"] == 10
    assert fake.calls["meetings/upsert"] == 10
    assert fake.calls["meetings/contacts/associate"] == 10
    assert fake.writes == 30
    for number in range(MANY):
        rig.book(number, status="completed", contact_email=f"new{number}@example.com")
    rig.sync()
    assert fake.calls["contacts/update"] == 10
    assert fake.calls["meetings/update"] == 10
    assert fake.writes == 50
    assert {each.properties["hs_meeting_outcome"] for each in fake.portal.of("meetings")} == {
        "COMPLETED"
    }
    rig.sync()
    assert fake.writes == 50


def test_three_bad_rows_of_a_hundred_are_in_quarantine_and_the_others_there(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    harness.fake.portal.forbid("meetings", "hs_meeting_body", "allergy", "Nothing medical here.")
    rig.start()
    for number in range(100):
        rig.book(number, notes="allergy to dye" if number in (3, 50, 99) else "first visit")
    rig.sync()
    assert rig.quarantine().keys() == {booking_id(number) for number in (3, 50, 99)}
    for entry in rig.quarantine().values():
        assert entry.code == "validation-rule"
        assert "Nothing medical here." in entry.message
    assert len(harness.fake.portal.of("meetings")) == 97
    rig.book(3, notes="first visit")
    rig.sync()
    assert rig.quarantine().keys() == {booking_id(number) for number in (50, 99)}


def test_a_conflict_that_refuses_a_whole_batch_leaves_its_own_rows_in_quarantine_only(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    fake = harness.fake
    rig.start()
    for number in range(40):
        rig.book(number)
    rig.sync()
    taken = fake.portal.add("contacts", email="taken@example.com", firstname="Somebody")
    for number in range(40):
        email = "taken@example.com" if number == 17 else f"new{number}@example.com"
        rig.book(number, contact_email=email)
    rig.sync()
    assert rig.quarantine().keys() == {booking_id(17)}
    entry = rig.quarantine()[booking_id(17)]
    assert entry.code == "conflict"
    assert entry.message.endswith(f"Contact already exists. Existing ID: {taken}")
    emails = {each.properties["email"] for each in fake.portal.of("contacts")}
    assert {f"new{number}@example.com" for number in range(40) if number != 17} <= emails


def test_a_contact_that_somebody_makes_meanwhile_is_taken_and_not_doubled(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    fake = harness.fake
    rig.start()
    for number in range(10):
        rig.book(number)
    made: list[str] = []
    fake.before["contacts/upsert"] = lambda: made.append(
        fake.portal.add("contacts", email="person7@example.com", jobtitle="Dentist")
    )
    rig.sync()
    assert not rig.quarantine()
    assert len(fake.portal.of("contacts")) == 10
    assert rig.contact(7).id == made[0]
    assert fake.portal.get("contacts", made[0]).properties["jobtitle"] == "Dentist"


def test_what_was_there_before_is_completed_but_not_marked(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    portal = harness.fake.portal
    there = portal.add("contacts", email="person1@example.com", firstname="Annette")
    rig.start()
    rig.book(1, contact_name="Ana Ruiz")
    rig.book(2)
    rig.sync()
    found = portal.get("contacts", there).properties
    assert (found["firstname"], found["lastname"]) == ("Annette", "Ruiz")
    assert found["phone"] == "+436601000001"
    assert "zimun_source" not in found
    assert rig.contact(1).id == there
    made = portal.get("contacts", rig.contact(2).id).properties
    assert made["zimun_source"] == "zimun-sync"
    assert {each.properties["zimun_source"] for each in portal.of("meetings")} == {"zimun-sync"}


def test_a_merge_that_makes_a_third_contact_is_followed(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    portal = harness.fake.portal
    rig.start()
    rig.book(1)
    rig.book(2)
    rig.sync()
    survivor = portal.merge(rig.contact(1).id, rig.contact(2).id)
    for number in (1, 2):
        rig.book(number, status="completed", contact_phone="+436607654321")
    rig.book(3, contact_email="person2@example.com", contact_name="Person 2")
    rig.sync()
    assert {rig.contact(number).id for number in (1, 2, 3)} == {survivor}
    assert [each.id for each in portal.of("contacts")] == [survivor]
    assert not rig.quarantine()
    written = harness.fake.writes
    rig.sync()
    assert harness.fake.writes == written


def test_a_meeting_says_what_when_where_and_with_whom(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    rig.bookings.put(
        "locations", "l_1", {"location_id": "l_1", "name": "Vienna", "timezone": "Europe/Vienna"}
    )
    owner = rig.system.add_user("ana@salon.example.com")
    rig.start()
    rig.book(1, notes="<b>Dye</b>\nagain", appointment_time="2031-10-26T02:30:00+02:00")
    rig.sync()
    (meeting,) = harness.fake.portal.of("meetings")
    assert meeting.properties == {
        "hs_meeting_title": "Cut · Ana",
        "hs_meeting_start_time": "2031-10-26T00:30:00.000Z",
        "hs_meeting_end_time": "2031-10-26T01:15:00.000Z",
        "hs_timestamp": "2031-10-26T00:30:00.000Z",
        "hs_meeting_outcome": "SCHEDULED",
        "hs_meeting_body": "&lt;b&gt;Dye&lt;/b&gt;<br>again",
        "hs_meeting_location": "Vienna",
        "hubspot_owner_id": owner,
        "zimun_key": f"main/{booking_id(1)}",
        "zimun_source": "zimun-sync",
    }


def test_a_booking_of_which_little_is_known_is_a_meeting_still(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    rig.start()
    rig.book(1, service_id=None, staff_id=None, location_id=None, appointment_duration=None)
    assert rig.sync() is Progress.IDLE
    (meeting,) = harness.fake.portal.of("meetings")
    assert meeting.properties["hs_meeting_title"] == "Appointment"
    assert "hs_meeting_end_time" not in meeting.properties


def test_a_property_that_the_portal_lacks_parks_the_sink_and_names_it(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    rig.start(appointment={"fields": {"room": "resource.name", "colour": {"value": "red"}}})
    rig.book(1)
    rig.sync()
    assert rig.parked is not None
    assert "no property 'colour', 'room' of meetings" in rig.parked.reason
    assert not rig.quarantine()


def test_a_limit_in_the_midst_delays_and_doubles_nothing(
    rig: RemoteRig, harness: HubspotHarness
) -> None:
    fake = harness.fake
    rig.start()
    for number in range(150):
        rig.book(number)
    body = {"message": "You have reached your ten_secondly_rolling limit."}
    fake.fail(Fault("meetings/upsert", 429, body=body, headers={"Retry-After": "0"}))
    assert rig.sync() is not Progress.IDLE
    rig.restart()
    assert rig.sync() is Progress.IDLE
    assert len(fake.portal.of("meetings")) == len(fake.portal.of("contacts")) == 150
    assert len(fake.portal.associations) == 150
    assert not rig.quarantine()


def test_a_preview_writes_nothing_there(rig: RemoteRig, harness: HubspotHarness) -> None:
    there = harness.fake.portal.add("contacts", email="person1@example.com")
    rig.configure()
    rig.book(1)
    rig.book(2)
    rig.pull()
    seen = {(each.kind, each.action, each.remote_id) for each in rig.preview()}
    assert ("contact", "update", there) in seen
    assert ("appointment", "create", None) in seen
    assert harness.fake.writes == 0
    assert harness.fake.calls["properties/write"] == 0
