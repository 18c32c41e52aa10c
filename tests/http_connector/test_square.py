"""The Square recipe against Square's API as it is documented."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.http_connector.conftest import Connect, context, done, refused, square_settings
from tests.http_connector.square import FakeSquare
from tests.http_connector.web import Fault
from zimun_connectors.http import HttpRemote
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import (
    Account,
    By,
    Cancels,
    Done,
    Exists,
    Gone,
    Item,
    Kind,
    KnowsOwners,
    Links,
    Outcome,
    Stale,
)

START = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)


@pytest.fixture
def remote(connect: Connect, square: FakeSquare) -> HttpRemote:
    return connect(square_settings(square.url))


def person(name: str, **fields: Any) -> Item:
    email = f"{name.lower()}@example.com"
    given = {"given_name": name, "email_address": email, **fields}
    return Item(f"email:{email}", given, token=f"token-{name}")


def booking(number: int = 1, **fields: Any) -> Item:
    given = {
        "start_at": START,
        "duration_minutes": 45,
        "location_id": "L1",
        "service_variation_id": "VAR-CUT",
        "team_member_id": "TM-ANA",
        "seller_note": f"Zimun main/a_{number}",
        **fields,
    }
    return Item(f"main/a_{number}", given, token=f"token-{number}")


def changed(item: Item, written: Outcome, **fields: Any) -> Item:
    before = done(written)
    return Item(item.key, fields, before.id, before.version, item.contact_id)


def test_the_account_is_the_merchant(remote: HttpRemote) -> None:
    assert remote.connect(context()) == Account("MERCHANT-1", "Salon Ana")


def test_customers_are_created_in_one_call_with_their_key_and_token(
    remote: HttpRemote, square: FakeSquare
) -> None:
    items = [person("Ana"), person("Eva"), person("Ida")]
    outcomes = remote.create(Kind.CONTACT, items)
    assert [type(each) for each in outcomes] == [Done] * 3
    [call] = square.sent("/v2/customers/bulk-create")
    assert set(call.body["customers"]) == {"token-Ana", "token-Eva", "token-Ida"}
    assert {each["reference_id"] for each in square.customers.values()} == {
        item.key for item in items
    }
    assert remote.create(Kind.CONTACT, items) == outcomes
    assert len(square.customers) == 3


def test_one_bad_customer_is_refused_in_squares_own_words(
    remote: HttpRemote, square: FakeSquare
) -> None:
    square.refused = "Eva"
    outcomes = {
        each.key: each for each in remote.create(Kind.CONTACT, [person("Ana"), person("Eva")])
    }
    assert isinstance(outcomes["email:ana@example.com"], Done)
    eva = refused(outcomes["email:eva@example.com"])
    assert (eva.code, eva.message) == ("invalid-value", "The value Eva is not valid.")


def test_customers_are_found_and_read_with_the_fields_asked_for(
    remote: HttpRemote, square: FakeSquare
) -> None:
    [first] = remote.create(Kind.CONTACT, [person("Ana", phone_number="+43 660 1234567")])
    found = remote.find(
        Kind.CONTACT, By.EMAIL, ["ana@example.com", "nobody@example.com", "no address"], ["note"]
    )
    assert {value: [each.id for each in several] for value, several in found.items()} == {
        "ana@example.com": [done(first).id]
    }
    assert found["ana@example.com"][0].fields == {"note": None}
    assert remote.find(Kind.CONTACT, By.PHONE, ["+436601234567"], [])["+436601234567"]
    read = remote.read(Kind.CONTACT, [done(first).id, "CUST-77"], ["given_name"])
    assert read.keys() == {done(first).id}
    assert read[done(first).id].fields == {"given_name": "Ana"}
    assert read[done(first).id].version == "0"


def test_an_update_names_the_version_and_a_foreign_change_makes_it_stale(
    remote: HttpRemote, square: FakeSquare
) -> None:
    ana = person("Ana")
    [first] = remote.create(Kind.CONTACT, [ana])
    [second] = remote.update(Kind.CONTACT, [changed(ana, first, note="Likes tea")])
    assert done(second).version == "1"
    assert square.customers[done(second).id]["note"] == "Likes tea"
    outcomes = remote.update(Kind.CONTACT, [changed(ana, first, note="Likes coffee")])
    assert outcomes == [Stale(ana.key)]
    [cleared] = remote.update(Kind.CONTACT, [changed(ana, second, note=None)])
    done(cleared)
    assert "note" not in square.customers[done(second).id]


def test_a_customer_that_is_not_there_is_gone(remote: HttpRemote) -> None:
    item = Item("email:a@example.com", {"note": "x"}, id="CUST-77")
    assert remote.update(Kind.CONTACT, [item]) == [Gone(item.key)]


def test_a_booking_is_made_with_the_services_present_version(
    remote: HttpRemote, square: FakeSquare
) -> None:
    customer = square.add_customer(family_name="Ana")
    [first] = remote.create(Kind.APPOINTMENT, [replace(booking(), contact_id=customer)])
    made = square.bookings[done(first).id]
    assert made["customer_id"] == customer
    assert made["start_at"] == "2026-11-20T08:45:00Z"
    assert made["appointment_segments"] == [
        {
            "team_member_id": "TM-ANA",
            "service_variation_id": "VAR-CUT",
            "service_variation_version": 11,
            "duration_minutes": 45,
        }
    ]


def test_a_booking_of_a_customer_who_is_gone_is_refused(remote: HttpRemote) -> None:
    item = replace(booking(), contact_id="CUST-77")
    assert refused(remote.create(Kind.APPOINTMENT, [item])[0]).code == "not-found"
    [first] = remote.create(Kind.APPOINTMENT, [booking()])
    tied = replace(changed(booking(), first), contact_id="CUST-77", retied=True)
    assert refused(remote.update(Kind.APPOINTMENT, [tied])[0]).code == "not-found"


def test_a_booking_is_created_once_however_often_its_answer_is_lost(
    remote: HttpRemote, square: FakeSquare
) -> None:
    square.fail(Fault(500, commits=True, only=lambda call: call.path == "/v2/bookings"))
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, [booking()])
    [first] = remote.create(Kind.APPOINTMENT, [booking()])
    assert list(square.bookings) == [done(first).id]


def test_a_create_that_arrived_with_other_content_is_found_again(
    remote: HttpRemote, square: FakeSquare
) -> None:
    [first] = remote.create(Kind.APPOINTMENT, [booking()])
    for moved in (START + timedelta(days=30), START - timedelta(days=30)):
        other = booking(start_at=moved)
        assert remote.create(Kind.APPOINTMENT, [other]) == [Exists(other.key, done(first).id)]
    [outcome] = remote.create(Kind.APPOINTMENT, [booking(start_at=START + timedelta(days=90))])
    assert refused(outcome).code == "idempotency-key-reused"
    assert len(square.bookings) == 1
    ana = person("Ana")
    remote.create(Kind.CONTACT, [ana])
    assert remote.create(Kind.CONTACT, [person("Ana", note="x")]) == [Exists(ana.key)]


def test_a_reschedule_keeps_the_rest_of_the_segment(remote: HttpRemote, square: FakeSquare) -> None:
    item = booking()
    [first] = remote.create(Kind.APPOINTMENT, [item])
    later = START.replace(hour=11)
    [moved] = remote.update(
        Kind.APPOINTMENT, [changed(item, first, start_at=later, duration_minutes=60)]
    )
    made = square.bookings[done(moved).id]
    assert made["start_at"] == "2026-11-20T11:45:00Z"
    assert made["appointment_segments"][0]["duration_minutes"] == 60
    assert made["appointment_segments"][0]["team_member_id"] == "TM-ANA"
    fields = ["start_at", "duration_minutes", "team_member_id", "customer_note"]
    read = remote.read(Kind.APPOINTMENT, [done(moved).id], fields)[done(moved).id].fields
    assert read["duration_minutes"] == 60
    assert (read["team_member_id"], read["customer_note"]) == ("TM-ANA", None)


def test_a_service_without_variation_is_refused_in_squares_words(remote: HttpRemote) -> None:
    item = booking()
    fields = {name: value for name, value in item.fields.items() if name != "service_variation_id"}
    [outcome] = remote.create(Kind.APPOINTMENT, [Item(item.key, fields, token="t")])
    assert refused(outcome).code == "missing-required-parameter"
    assert "service_variation_id" in refused(outcome).message


def test_cancelling_twice_cancels_once(remote: HttpRemote, square: FakeSquare) -> None:
    item = booking()
    [first] = remote.create(Kind.APPOINTMENT, [item])
    assert isinstance(remote, Cancels)
    for _ in range(2):
        [cancelled] = remote.cancel([changed(item, first)])
        done(cancelled)
    assert square.bookings[done(cancelled).id]["status"] == "CANCELLED_BY_SELLER"
    assert len(square.sent(f"/v2/bookings/{done(cancelled).id}/cancel")) == 1
    assert remote.cancel([Item("main/a_9", {}, id="BOOK-99")]) == [Gone("main/a_9")]


def test_a_transient_error_of_one_row_is_no_refusal(remote: HttpRemote, square: FakeSquare) -> None:
    error = {"category": "API_ERROR", "code": "INTERNAL_SERVER_ERROR", "detail": "Try again."}
    square.fail(Fault(200, body={"responses": {"token-Ana": {"errors": [error]}}}))
    with pytest.raises(SinkUnavailable, match="internal-server-error"):
        remote.create(Kind.CONTACT, [person("Ana")])


def test_owners_are_looked_up_over_all_pages(remote: HttpRemote, square: FakeSquare) -> None:
    for number, status in enumerate(["ACTIVE", "INACTIVE", "ACTIVE"]):
        square.team[f"TM-{number}"] = {
            "id": f"TM-{number}",
            "email_address": f"Staff{number}@example.com",
            "status": status,
        }
    assert isinstance(remote, KnowsOwners)
    owners = remote.owners_by_email([f"staff{number}@example.com" for number in range(4)])
    assert {email: (owner.id, owner.active) for email, owner in owners.items()} == {
        "staff0@example.com": ("TM-0", True),
        "staff1@example.com": ("TM-1", False),
        "staff2@example.com": ("TM-2", True),
    }
    assert remote.owners_by_id(["TM-1", "TM-9"]).keys() == {"TM-1"}


def test_it_has_only_the_abilities_that_there_are_requests_for(remote: HttpRemote) -> None:
    assert not isinstance(remote, Links)
    assert remote.abilities.safe_creates == set(Kind)
    # A search that lags cannot tell whether a create arrived.
    assert (Kind.CONTACT, By.KEY) not in remote.abilities.finds


def test_a_refused_token_parks_the_sink(connect: Connect, square: FakeSquare) -> None:
    with pytest.raises(SinkBroken, match="401"):
        connect(square_settings(square.url, auth={"token": "wrong"}))
