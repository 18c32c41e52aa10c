"""The Odoo recipe against Odoo's JSON-2 API as it is documented."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.http_connector.conftest import Connect, context, done, odoo_settings, refused
from tests.http_connector.odoo import FakeOdoo
from zimun_connectors.http import HttpRemote
from zimun_sync.errors import SinkBroken
from zimun_sync.remotes.contract import (
    Account,
    Archives,
    By,
    Cancels,
    Gone,
    Item,
    Kind,
    KnowsOwners,
    Linking,
    Links,
    Pair,
)

START = datetime(2026, 11, 20, 8, 45, tzinfo=UTC)


@pytest.fixture
def remote(connect: Connect, odoo: FakeOdoo) -> HttpRemote:
    remote = connect(odoo_settings(odoo.url))
    remote.prepare()
    return remote


def person(name: str, **fields: Any) -> Item:
    email = f"{name.lower()}@example.com"
    return Item(f"email:{email}", {"name": name, "email": email, **fields})


def event(number: int = 1, **fields: Any) -> Item:
    given = {"name": f"Cut {number}", "start": START, "stop": START.replace(hour=9), "active": True}
    return Item(f"main/a_{number}", {**given, **fields})


def test_the_account_is_the_database_and_its_company(remote: HttpRemote) -> None:
    assert remote.connect(context()) == Account("acme/1", "Salon Ana (acme)")


def test_preparing_makes_the_field_of_our_key_once(connect: Connect, odoo: FakeOdoo) -> None:
    for _ in range(2):
        connect(odoo_settings(odoo.url)).prepare()
    assert all("x_zimun_key" in odoo.fields[model] for model in ("res.partner", "calendar.event"))
    assert len(odoo.sent("/json/2/ir.model.fields/create")) == 2


def test_where_the_field_is_there_nobody_has_to_be_an_administrator(
    connect: Connect, odoo: FakeOdoo
) -> None:
    odoo.admin = False
    with pytest.raises(SinkBroken, match="Administrators make fields"):
        connect(odoo_settings(odoo.url)).prepare()
    for model in ("res.partner", "calendar.event"):
        odoo.fields[model].add("x_zimun_key")
    connect(odoo_settings(odoo.url)).prepare()


def test_a_whole_batch_is_one_transaction_and_a_bad_row_is_found_by_halves(
    remote: HttpRemote, odoo: FakeOdoo
) -> None:
    odoo.refused = "Person 5"
    items = [person(f"Person {number}") for number in range(8)]
    outcomes = {each.key: each for each in remote.create(Kind.CONTACT, items)}
    assert refused(outcomes.pop("email:person 5@example.com")).message == "Person 5 is not valid."
    assert [done(each) for each in outcomes.values()]
    assert len(odoo.records["res.partner"]) == 7
    assert len(odoo.sent("/json/2/res.partner/create")) == 7  # 8, 4, 4, 2, 1, 1, 2


def test_contacts_are_found_by_key_address_and_number(remote: HttpRemote, odoo: FakeOdoo) -> None:
    [made] = remote.create(Kind.CONTACT, [person("Ana", phone="+43 660 1234567")])
    number = done(made).id
    odoo.make("res.partner", name="Old Ana", email="ana@example.com", active=False)
    lookups = {
        By.KEY: "email:ana@example.com",
        By.EMAIL: "ana@example.com",
        By.PHONE: "+436601234567",
    }
    for by, value in lookups.items():
        found = remote.find(Kind.CONTACT, by, [value, "nobody"], ["name", "phone", "email"])
        assert [each.id for each in found[value]] == [number]
        assert found.keys() == {value}
    assert found[value][0].fields["name"] == "Ana"


def test_times_are_written_and_read_in_odoos_spelling(remote: HttpRemote, odoo: FakeOdoo) -> None:
    [made] = remote.create(Kind.APPOINTMENT, [event(location=None)])
    record = odoo.records["calendar.event"][int(done(made).id)]
    assert (record["start"], record["location"]) == ("2026-11-20 08:45:00", False)
    fields = ["start", "location", "active", "user_id", "description"]
    read = remote.read(Kind.APPOINTMENT, [done(made).id, "999"], fields)
    assert read.keys() == {done(made).id}
    assert read[done(made).id].fields == {
        "start": START,
        "location": None,
        "active": True,
        "user_id": None,
        "description": None,
    }


def test_nobody_is_mailed_by_what_is_written(remote: HttpRemote, odoo: FakeOdoo) -> None:
    [made] = remote.create(Kind.APPOINTMENT, [event()])
    remote.update(Kind.APPOINTMENT, [Item("main/a_1", {"active": False}, id=done(made).id)])
    assert odoo.quiet
    assert all(each["no_mail_to_attendees"] and each["dont_notify"] for each in odoo.quiet)


def test_an_archived_event_is_read_and_found_all_the_same(
    remote: HttpRemote, odoo: FakeOdoo
) -> None:
    [made] = remote.create(Kind.APPOINTMENT, [event(active=False)])
    number = done(made).id
    assert remote.read(Kind.APPOINTMENT, [number], ["active"])[number].fields == {"active": False}
    assert remote.find(Kind.APPOINTMENT, By.KEY, ["main/a_1"], [])["main/a_1"][0].id == number


def test_owners_are_users_and_are_written_as_numbers(remote: HttpRemote, odoo: FakeOdoo) -> None:
    mona = odoo.make("res.users", login="Mona@example.com")
    eva = odoo.make("res.users", login="eva@example.com", active=False)
    odoo.records["res.users"][mona]["login"] = "mona@example.com"
    assert isinstance(remote, KnowsOwners)
    owners = remote.owners_by_email(["mona@example.com", "eva@example.com", "no@example.com"])
    assert {email: (each.id, each.active) for email, each in owners.items()} == {
        "mona@example.com": (str(mona), True),
        "eva@example.com": (str(eva), False),
    }
    assert remote.owners_by_id([str(eva)])[str(eva)].active is False
    [made] = remote.create(Kind.APPOINTMENT, [event(user_id=str(mona))])
    assert odoo.records["calendar.event"][int(done(made).id)]["user_id"] == mona
    read = remote.read(Kind.APPOINTMENT, [done(made).id], ["user_id"])
    assert read[done(made).id].fields == {"user_id": str(mona)}


def test_contacts_are_linked_beside_other_attendees_and_unlinked_alone(
    remote: HttpRemote, odoo: FakeOdoo
) -> None:
    [made] = remote.create(Kind.APPOINTMENT, [event()])
    record = odoo.records["calendar.event"][int(done(made).id)]
    record["partner_ids"] = [77]
    assert isinstance(remote, Links)
    assert remote.abilities.linking is Linking.CALL
    number = odoo.make("res.partner", name="Ana")
    pair = Pair("main/a_1", done(made).id, str(number))
    for _ in range(2):
        assert done(remote.link([pair])[0]).id == done(made).id
        assert record["partner_ids"] == [77, number]
    for _ in range(2):
        done(remote.unlink([pair])[0])
        assert record["partner_ids"] == [77]
    assert remote.link([replace(pair, appointment_id="999")]) == [Gone("main/a_1")]
    assert remote.link([replace(pair, contact_id="999")]) == [Gone("main/a_1")]


def test_what_was_deleted_there_is_gone(remote: HttpRemote, odoo: FakeOdoo) -> None:
    [made] = remote.create(Kind.APPOINTMENT, [event()])
    del odoo.records["calendar.event"][int(done(made).id)]
    item = Item("main/a_1", {"name": "x"}, id=done(made).id)
    assert remote.update(Kind.APPOINTMENT, [item]) == [Gone("main/a_1")]
    assert isinstance(remote, Archives)
    assert remote.archive([item]) == [Gone("main/a_1")]


def test_an_event_is_cancelled_by_a_field(remote: HttpRemote) -> None:
    assert not isinstance(remote, Cancels)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda settings: settings["constants"].update(database="other"), "403"),
        (lambda settings: settings["auth"].update(token="old"), "401"),
    ],
)
def test_a_wrong_database_or_key_parks_the_sink(
    connect: Connect, odoo: FakeOdoo, spoil: Callable[[dict[str, Any]], None], said: str
) -> None:
    settings = odoo_settings(odoo.url)
    spoil(settings)
    with pytest.raises(SinkBroken, match=said):
        connect(settings)
