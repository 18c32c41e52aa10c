"""Bookings on their way through the whole engine into an organization."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.salesforce.harness import SalesforceHarness
from tests.salesforce.schema import CONTACT, EVENT
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.rig import RemoteRig, key_of

MANY = 1_000
ABOVE = 200


@pytest.fixture
def harness() -> Iterator[SalesforceHarness]:
    harness = SalesforceHarness(bulk_above=ABOVE)
    yield harness
    harness.close()


@pytest.fixture
def rig(tmp_path: Path, harness: SalesforceHarness) -> Iterator[RemoteRig]:
    with RemoteRig(tmp_path, harness) as rig:
        yield rig


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[RemoteRig]:
    """One with the connector's own settings: a thousand records are no bulk job's matter."""
    harness = SalesforceHarness()
    with RemoteRig(tmp_path, harness) as rig:
        yield rig
    harness.close()


def fake_of(rig: RemoteRig) -> Any:
    assert isinstance(rig.harness, SalesforceHarness)
    return rig.harness.fake


def drained(rig: RemoteRig) -> int:
    """Deliver until nothing waits; how often it had to wait."""
    waits = 0
    while (progress := rig.deliver()) is Progress.WAITING:
        waits += 1
        assert waits < 20
    assert progress is Progress.IDLE
    return waits


def event_of(rig: RemoteRig, number: int) -> dict[str, Any]:
    (found,) = (
        record.values
        for record in fake_of(rig).org.live(EVENT)
        if record.values["Zimun_Key__c"] == key_of(number)
    )
    return dict(found)


def test_a_thousand_appointments_take_five_calls_of_each_kind(patient: RemoteRig) -> None:
    fake = fake_of(patient)
    patient.start()
    for number in range(MANY):
        patient.book(number)
    patient.sync()
    assert len(fake.org.live(EVENT)) == len(fake.org.live(CONTACT)) == MANY
    assert fake.calls["Contact/upsert"] == fake.calls["Event/upsert"] == 5
    written = fake.written
    for number in range(MANY):
        patient.book(number, something_of_the_source="changed")
    patient.sync()
    assert fake.written == written
    for number in range(MANY):
        patient.book(number, status="completed")
    patient.sync()
    assert fake.calls["Event/update"] == 5
    assert {record.values["Zimun_Status__c"] for record in fake.org.live(EVENT)} == {"completed"}


def test_a_first_day_goes_by_a_bulk_job_for_each_kind(rig: RemoteRig) -> None:
    fake = fake_of(rig)
    rig.start()
    for number in range(ABOVE + 1):
        rig.book(number)
    rig.pull()
    assert drained(rig) >= 2
    assert fake.calls["jobs/create"] == 2
    assert fake.calls["Contact/upsert"] == fake.calls["Event/upsert"] == 0
    assert len(fake.org.live(EVENT)) == len(fake.org.live(CONTACT)) == ABOVE + 1
    assert rig.contact(7).email == "person7@example.com"
    written = fake.written
    rig.replay()
    assert drained(rig) == 0
    assert fake.written == written


def test_a_process_killed_during_every_bulk_job_doubles_nothing(rig: RemoteRig) -> None:
    fake = fake_of(rig)
    fake.api.polls = 0
    rig.start()
    for number in range(ABOVE + 1):
        rig.book(number)
    rig.pull()
    for _ in range(2):
        assert rig.deliver() is Progress.WAITING
        for job in fake.api.jobs.values():
            if job.state == "UploadComplete":
                job.work(fake.org, None)  # Salesforce goes on meanwhile
        rig.restart()
    drained(rig)
    assert len(fake.org.live(EVENT)) == len(fake.org.live(CONTACT)) == ABOVE + 1
    assert not rig.quarantine()


def test_refused_rows_of_a_job_are_in_quarantine_in_their_words(rig: RemoteRig) -> None:
    fake_of(rig).org.refused["allergy"] = "Nothing medical here."
    rig.start()
    for number in range(ABOVE + 1):
        rig.book(number, notes="allergy" if number in (3, 50) else "first visit")
    rig.pull()
    drained(rig)
    assert rig.quarantine().keys() == {booking_id(3), booking_id(50)}
    assert "Nothing medical here." in rig.quarantine()[booking_id(3)].message
    assert len(fake_of(rig).org.live(EVENT)) == ABOVE - 1


def test_a_cancellation_and_a_no_show_can_be_seen_and_are_taken_back(rig: RemoteRig) -> None:
    rig.start()
    rig.book(1, contact_name="Ana Ruiz")
    rig.sync()
    subject = event_of(rig, 1)["Subject"]
    assert subject.endswith(", Ana Ruiz")
    assert event_of(rig, 1)["ShowAs"] == "Busy"
    rig.book(1, contact_name="Ana Ruiz", status="no_show")
    rig.sync()
    assert event_of(rig, 1)["Subject"] == f"No-show: {subject}"
    assert event_of(rig, 1)["Zimun_Status__c"] == "no_show"
    rig.book(1, contact_name="Ana Ruiz", status="confirmed")
    rig.sync()
    assert event_of(rig, 1)["Subject"] == subject
    rig.book(1, contact_name="Ana Ruiz", status="cancelled")
    rig.sync()
    assert event_of(rig, 1)["Subject"] == f"Cancelled: {subject}"
    assert event_of(rig, 1)["ShowAs"] == "Free"
    assert event_of(rig, 1)["IsReminderSet"] is False


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ana Maria Ruiz", "Ana Maria", "Ruiz"),
        ("Ana", None, "Ana"),
        (None, None, "person1@example.com"),
    ],
)
def test_a_contact_always_has_a_last_name(
    rig: RemoteRig, name: str | None, first: str | None, last: str
) -> None:
    rig.start()
    rig.book(1, contact_name=name)
    rig.sync()
    (contact,) = fake_of(rig).org.live(CONTACT)
    assert (contact.values["FirstName"], contact.values["LastName"]) == (first, last)
    assert contact.values["LeadSource"] == "Zimun"
    assert contact.values["Zimun_Key__c"] == "email:person1@example.com"


def test_an_appointment_of_unknown_length_has_none(rig: RemoteRig) -> None:
    rig.start()
    rig.book(1, appointment_duration=None)
    rig.sync()
    assert not rig.quarantine()
    assert event_of(rig, 1)["DurationInMinutes"] == 0
