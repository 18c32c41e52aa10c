"""The recipe against a real clinic's system: patients and appointments, and what it refuses."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.gnuhealth.conftest import Connect, context, settings_for
from tests.systems.gnuhealth import Clinic, GnuHealth
from zimun_connectors.http import HttpRemote, remote_of
from zimun_sync.errors import SinkBroken
from zimun_sync.remotes.contract import (
    Account,
    By,
    Done,
    Gone,
    Item,
    Kind,
    Linking,
    Outcome,
    Refused,
)

START = datetime(2026, 12, 1, 8, 45, tzinfo=UTC)
PERSON = {
    "name": "Ana",
    "lastname": "Ruiz",
    "email": "ana@example.com",
    "phone": "+436601000001",
}
FIELDS = {"appointment_date": START, "state": "confirmed", "comments": "Check-up, 45 min"}


def person(remote: HttpRemote, key: str = "email:ana@example.com", **changes: Any) -> Done:
    fields = {name: value for name, value in (PERSON | changes).items() if value is not None}
    (outcome,) = remote.create(Kind.CONTACT, [Item(key, fields)])
    assert isinstance(outcome, Done), outcome
    return outcome


def booked(remote: HttpRemote, patient: str, key: str = "main/a_1", **changes: Any) -> Outcome:
    item = Item(key, FIELDS | changes, contact_id=patient)
    (outcome,) = remote.create(Kind.APPOINTMENT, [item])
    return outcome


def changed(remote: HttpRemote, done: Outcome, patient: str | None, **fields: Any) -> Outcome:
    assert isinstance(done, Done), done
    item = Item(done.key, fields, id=done.id, contact_id=patient)
    (outcome,) = remote.update(Kind.APPOINTMENT, [item])
    return outcome


# -- patients -----------------------------------------------------------------------------


def test_a_person_becomes_one_patient_whom_the_desk_can_find(
    remote: HttpRemote, clinic: Clinic
) -> None:
    done = person(remote)

    (patient,) = clinic.patients()

    assert done.id == str(patient["id"])
    party = patient["party."]
    assert (party["name"], party["lastname"]) == ("Ana", "Ruiz")
    told = {each["type"]: each["value"] for each in party["contact_mechanisms."]}
    assert told == {"email": "ana@example.com", "phone": "+436601000001"}


def test_a_patient_is_found_by_our_key_by_address_and_by_number(remote: HttpRemote) -> None:
    done = person(remote)
    person(remote, "email:ben@example.com", name="Ben", email="ben@example.com", phone=None)
    asked = [
        (By.KEY, "email:ana@example.com"),
        (By.EMAIL, "ana@example.com"),
        (By.PHONE, "+436601000001"),
    ]

    for by, value in asked:
        found = remote.find(Kind.CONTACT, by, [value, "nothing"], list(PERSON))

        assert [each.id for each in found[value]] == [done.id]
        assert found[value][0].fields == PERSON
        assert not found.get("nothing")


def test_an_address_is_found_however_people_typed_it(remote: HttpRemote, clinic: Clinic) -> None:
    typed = clinic.add_patient("Eva", "Lang", email="Eva.Lang@Example.com")

    found = remote.find(Kind.CONTACT, By.EMAIL, ["eva.lang@example.com"], [])

    assert [each.id for each in found["eva.lang@example.com"]] == [str(typed)]


def test_an_underline_in_an_address_stands_for_itself_only(
    remote: HttpRemote, clinic: Clinic
) -> None:
    clinic.add_patient("Somebody", email="axb@example.com")
    right = clinic.add_patient("Else", email="a_b@example.com")

    found = remote.find(Kind.CONTACT, By.EMAIL, ["a_b@example.com"], [])

    assert [each.id for each in found["a_b@example.com"]] == [str(right)]


def test_two_patients_with_one_address_are_both_told(remote: HttpRemote, clinic: Clinic) -> None:
    both = [clinic.add_patient(name, email="shared@example.com") for name in ("Ana", "Eva")]

    found = remote.find(Kind.CONTACT, By.EMAIL, ["shared@example.com"], [])

    assert sorted(each.id for each in found["shared@example.com"]) == sorted(map(str, both))


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({}, {"email": "new@example.com"}, {"email": "new@example.com"}),
        ({}, {"phone": "+436609999999"}, {"phone": "+436609999999"}),
        ({"phone": None}, {"phone": "+436609999999"}, {"phone": "+436609999999"}),
        ({"email": None}, {"email": "new@example.com"}, {"email": "new@example.com"}),
        ({}, {"phone": None}, {"phone": None}),
        ({}, {"name": "Anna", "lastname": None}, {"name": "Anna", "lastname": None}),
    ],
)
def test_a_patients_details_are_changed_one_by_one(
    remote: HttpRemote, before: dict[str, Any], change: dict[str, Any], after: dict[str, Any]
) -> None:
    done = person(remote, **before)

    outcomes = remote.update(Kind.CONTACT, [Item(done.key, change, id=done.id)])

    assert outcomes == [Done(done.key, done.id)]
    found = remote.read(Kind.CONTACT, [done.id], list(PERSON))[done.id]
    assert found.fields == PERSON | before | after


def test_a_patient_who_was_archived_by_hand_is_gone(remote: HttpRemote, clinic: Clinic) -> None:
    done = person(remote)
    clinic.write("gnuhealth.patient", int(done.id), active=False)

    assert remote.read(Kind.CONTACT, [done.id], []) == {}
    change = Item(done.key, {"name": "Anna"}, id=done.id)
    assert remote.update(Kind.CONTACT, [change]) == [Gone(done.key)]


# -- appointments -------------------------------------------------------------------------


def test_an_appointment_is_made_for_its_patient_and_read_back(
    remote: HttpRemote, clinic: Clinic
) -> None:
    patient = person(remote)

    done = booked(remote, patient.id)

    assert isinstance(done, Done)
    found = remote.read(Kind.APPOINTMENT, [done.id, "999"], list(FIELDS))
    assert {name: each.fields for name, each in found.items()} == {done.id: FIELDS}
    (there,) = clinic.appointments()
    assert (there["patient"], there["name"]) == (int(patient.id), "main/a_1")
    assert there["appointment_date"] == START


def test_an_appointment_is_found_by_our_key(remote: HttpRemote) -> None:
    done = booked(remote, person(remote).id)
    assert isinstance(done, Done)

    found = remote.find(Kind.APPOINTMENT, By.KEY, ["main/a_1", "main/a_2"], ["state"])

    assert [each.id for each in found["main/a_1"]] == [done.id]
    assert found["main/a_1"][0].fields == {"state": "confirmed"}
    assert not found.get("main/a_2")


@pytest.mark.parametrize("state", ["done", "no_show", "user_cancelled", "center_cancelled"])
def test_every_state_is_reached_and_left_again_and_our_key_stays(
    remote: HttpRemote, clinic: Clinic, state: str
) -> None:
    patient = person(remote).id
    done = booked(remote, patient)

    for wanted in (state, "confirmed"):
        outcome = changed(remote, done, patient, state=wanted)

        assert isinstance(outcome, Done)
        (there,) = clinic.appointments()
        assert (there["state"], there["name"]) == (wanted, "main/a_1")


def test_a_reschedule_across_an_edge_of_daylight_saving_keeps_the_instant(
    remote: HttpRemote, clinic: Clinic
) -> None:
    patient = person(remote).id
    done = booked(remote, patient, appointment_date=datetime(2027, 10, 30, 7, 0, tzinfo=UTC))
    after = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)

    changed(remote, done, patient, appointment_date=after)

    (there,) = clinic.appointments()
    assert there["appointment_date"] == after


def test_an_appointment_moves_to_another_patient(remote: HttpRemote, clinic: Clinic) -> None:
    first = person(remote)
    second = person(remote, "email:ben@example.com", name="Ben", email="ben@example.com")
    done = booked(remote, first.id)

    changed(remote, done, second.id)

    (there,) = clinic.appointments()
    assert there["patient"] == int(second.id)


def test_of_many_appointments_only_the_bad_one_is_refused_in_the_systems_own_words(
    remote: HttpRemote, clinic: Clinic
) -> None:
    patient = person(remote).id
    states = {f"main/a_{n}": "nonsense" if n == 7 else "confirmed" for n in range(20)}
    items = [
        Item(key, {**FIELDS, "state": state}, contact_id=patient) for key, state in states.items()
    ]

    outcomes = {each.key: each for each in remote.create(Kind.APPOINTMENT, items)}

    refused = outcomes.pop("main/a_7")
    assert isinstance(refused, Refused)
    assert refused.code == "refused"
    assert "is not one of the allowed options" in refused.message
    assert all(isinstance(each, Done) for each in outcomes.values())
    assert {each["name"] for each in clinic.appointments()} == set(outcomes)


def test_an_appointment_of_an_archived_patient_is_refused_so_that_the_person_is_looked_up_again(
    remote: HttpRemote, clinic: Clinic
) -> None:
    archived, active = person(remote), person(remote, "email:ben@example.com", name="Ben")
    clinic.write("gnuhealth.patient", int(archived.id), active=False)
    patients = {"main/a_1": archived, "main/a_2": active, "main/a_3": active}
    items = [Item(key, FIELDS, contact_id=patient.id) for key, patient in patients.items()]

    outcomes = {each.key: each for each in remote.create(Kind.APPOINTMENT, items)}

    assert isinstance(outcomes.pop("main/a_1"), Refused)
    assert all(isinstance(each, Done) for each in outcomes.values())
    assert {each["name"] for each in clinic.appointments()} == set(outcomes)


def test_an_appointment_without_a_patient_is_refused_by_the_system(remote: HttpRemote) -> None:
    (outcome,) = remote.create(Kind.APPOINTMENT, [Item("main/a_1", FIELDS)])

    assert isinstance(outcome, Refused)
    assert "Patient" in outcome.message


def test_an_appointment_that_was_deleted_by_hand_is_gone(
    remote: HttpRemote, clinic: Clinic
) -> None:
    patient = person(remote).id
    done = booked(remote, patient)
    assert isinstance(done, Done)
    clinic.call("model.gnuhealth.appointment.delete", [int(done.id)])

    assert changed(remote, done, patient, state="done") == Gone("main/a_1")
    assert remote.read(Kind.APPOINTMENT, [done.id], []) == {}


def test_a_doctor_is_known_by_address_and_an_inactive_one_is_told_so(
    connect: Connect, clinic: Clinic
) -> None:
    remote: Any = connect()
    active = clinic.add_doctor("Mona", "Mona@clinic.example.com")
    former = clinic.add_doctor("Otto", "otto@clinic.example.com", active=False)

    found = remote.owners_by_email(
        ["mona@clinic.example.com", "otto@clinic.example.com", "nobody@clinic.example.com"]
    )

    told = {email: (owner.id, owner.active) for email, owner in found.items()}
    assert told == {
        "mona@clinic.example.com": (str(active), True),
        "otto@clinic.example.com": (str(former), False),
    }
    assert remote.owners_by_id([str(active), "999"]).keys() == {str(active)}
    done = booked(remote, person(remote).id, healthprof=str(active))
    assert isinstance(done, Done)
    read = remote.read(Kind.APPOINTMENT, [done.id], ["healthprof"])[done.id]
    assert read.fields == {"healthprof": str(active)}


# -- whose it is --------------------------------------------------------------------------


def test_what_the_recipe_can_do_is_known_before_it_is_connected() -> None:
    abilities = remote_of(settings_for("http://127.0.0.1:1/clinic")).abilities

    assert abilities.linking is Linking.FIELD
    assert abilities.finds == {
        *((Kind.CONTACT, by) for by in By),
        (Kind.APPOINTMENT, By.KEY),
    }


def test_an_account_stays_the_same_and_is_not_another_clinics(
    server: GnuHealth, clinic: Clinic
) -> None:
    other = server.clinic()
    other.set_birth(datetime(2024, 2, 29, 8, 15, tzinfo=UTC))

    assert account_of(clinic) == account_of(clinic)
    assert account_of(other).id != account_of(clinic).id
    assert "2024-02-29" in account_of(other).label


def account_of(clinic: Clinic) -> Account:
    remote = remote_of(settings_for(clinic.url))
    try:
        return remote.connect(context())
    finally:
        remote.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"auth": {"type": "basic", "username": "admin", "password": "wrong-password"}}, "401"),
        ({"base_url": "nowhere"}, "exist"),
    ],
)
def test_wrong_credentials_and_a_wrong_database_need_a_person(
    server: GnuHealth, clinic: Clinic, changes: dict[str, Any], words: str
) -> None:
    if "base_url" in changes:
        changes = {"base_url": f"{server.address}/nowhere"}
    remote = remote_of(settings_for(clinic.url, **changes))

    with pytest.raises(SinkBroken) as broken:
        remote.connect(context())

    assert words in str(broken.value)
    assert "wrong-password" not in str(broken.value) + broken.value.hint
    remote.close()


def test_a_user_of_the_front_desk_has_every_right_that_the_recipe_needs(
    connect: Connect, clinic: Clinic
) -> None:
    front_desk = clinic.search("res.group", ["id"], ["name", "=", "Health Front Desk"])[0]["id"]
    remote: Any = connect(auth=new_user(clinic, "desk-robot", groups=[["add", [front_desk]]]))

    patient = person(remote)
    done = booked(remote, patient.id)

    assert isinstance(changed(remote, done, patient.id, state="done"), Done)
    change = Item(patient.key, {"email": "new@example.com"}, id=patient.id)
    assert remote.update(Kind.CONTACT, [change]) == [Done(patient.key, patient.id)]
    assert remote.find(Kind.CONTACT, By.KEY, [patient.key], [])
    assert remote.owners_by_email(["nobody@example.com"]) == {}
    assert isinstance(done, Done)
    assert remote.archive([Item(done.key, {}, id=done.id)]) == [Done(done.key, done.id)]


def new_user(clinic: Clinic, name: str, **values: Any) -> dict[str, str]:
    """A user for the connector; returns how to sign in."""
    password = "a-robots-password"
    user = {"name": name, "login": name, "password": password, **values}
    clinic.call("model.res.user.create", [user])
    return {"type": "basic", "username": name, "password": password}


def test_a_user_without_rights_parks_the_sink_with_the_systems_words(
    remote: HttpRemote, clinic: Clinic
) -> None:
    patient = person(remote).id
    robot = remote_of(settings_for(clinic.url, auth=new_user(clinic, "booking-robot")))
    robot.connect(context())

    with pytest.raises(SinkBroken, match="not allowed"):
        robot.create(Kind.APPOINTMENT, [Item("main/a_1", FIELDS, contact_id=patient)])
    robot.close()
