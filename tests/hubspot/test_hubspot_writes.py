"""Creating, updating, archiving and tying: what the portal holds, and what became of each row."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.hubspot.conftest import START, meeting, person
from tests.hubspot.fake import FakeHubspot, Fault
from zimun_connectors.hubspot.remote import HubspotRemote
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import (
    BatchRefused,
    Done,
    Exists,
    Gone,
    Item,
    Kind,
    NotSent,
    Outcome,
    Pair,
    Refused,
)


def done(outcome: Outcome) -> str:
    """The id of what was written."""
    assert isinstance(outcome, Done)
    return outcome.id


def created(remote: HubspotRemote, kind: Kind, *items: Item) -> list[str]:
    return [done(outcome) for outcome in remote.create(kind, items)]


@pytest.mark.parametrize("echoes", [True, False])
def test_a_batch_of_creates_is_one_call_that_keeps_keys_and_mark(
    remote: HubspotRemote, fake: FakeHubspot, echoes: bool
) -> None:
    fake.echoes_traces = echoes
    ids = created(remote, Kind.CONTACT, *(person(f"p{number}") for number in range(100)))
    records = fake.portal.of("contacts")
    assert ids == [record.id for record in records]
    assert records[7].properties == {
        "email": "p7@example.com",
        "firstname": "P7",
        "zimun_key": "email:p7@example.com",
        "zimun_source": "zimun-sync",
    }
    assert fake.calls == {"contacts/upsert": 1}


def test_a_repeated_create_doubles_nothing(remote: HubspotRemote, fake: FakeHubspot) -> None:
    first = created(remote, Kind.APPOINTMENT, meeting())
    assert created(remote, Kind.APPOINTMENT, meeting()) == first
    assert len(fake.portal.of("meetings")) == 1


@pytest.mark.parametrize("fault", [Fault(commits=True), Fault(status=None, commits=True)])
def test_a_create_repeated_after_it_was_done_and_not_answered_doubles_nothing(
    remote: HubspotRemote, fake: FakeHubspot, fault: Fault
) -> None:
    fake.fail(fault)
    items = [meeting(1), meeting(2)]
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, items)
    assert len(fake.portal.of("meetings")) == 2
    assert created(remote, Kind.APPOINTMENT, *items) == [
        record.id for record in fake.portal.of("meetings")
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (START, "2026-11-20T08:45:00.000Z"),
        (
            datetime(2026, 3, 29, 2, 30, 0, 999_900, tzinfo=timezone(timedelta(hours=2))),
            "2026-03-29T00:30:00.999Z",
        ),
        (date(2026, 11, 20), "2026-11-20"),
        (True, "true"),
        (False, "false"),
        (Decimal("49.50"), "49.50"),
        (Decimal("1E+6"), "1000000"),
        (7, "7"),
        ("Zoë & <Søn>", "Zoë & <Søn>"),
    ],
)
def test_values_are_spelled_as_hubspot_takes_them(
    remote: HubspotRemote, fake: FakeHubspot, value: Any, text: str
) -> None:
    created(remote, Kind.CONTACT, person(jobtitle=value))
    assert fake.portal.of("contacts")[0].properties["jobtitle"] == text


def test_an_update_writes_what_is_given_clears_none_and_leaves_the_rest(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    (contact,) = created(remote, Kind.CONTACT, person(phone="+436601234567"))
    fields = {"phone": None, "lastname": "Ruiz"}
    assert remote.update(Kind.CONTACT, [Item("k", fields, id=contact)]) == [Done("k", contact)]
    properties = fake.portal.get("contacts", contact).properties
    assert "phone" not in properties
    assert (properties["firstname"], properties["lastname"]) == ("Ana", "Ruiz")


def test_a_207_refuses_exactly_the_bad_rows_in_the_remotes_words(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    items = [meeting(number) for number in range(100)]
    for number in (3, 50, 99):
        items[number] = meeting(number, hs_meeting_outcome="LATE")
    outcomes = remote.create(Kind.APPOINTMENT, items)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert [outcome.key for outcome in refused] == ["main/a_3", "main/a_50", "main/a_99"]
    assert {outcome.code for outcome in refused} == {"invalid-option"}
    assert "LATE was not one of the allowed options" in refused[0].message
    assert refused[0].message.startswith("Property values were not valid: [{")
    assert len(fake.portal.of("meetings")) == 97
    assert fake.calls == {"meetings/upsert": 1}


def test_an_administrators_rule_refuses_a_row(remote: HubspotRemote, fake: FakeHubspot) -> None:
    fake.portal.forbid("contacts", "firstname", "Eve", "No Eves, please.")
    outcomes = remote.create(Kind.CONTACT, [person("ana"), person("eve")])
    assert isinstance(outcomes[0], Done)
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].code == "validation-rule"
    assert "No Eves, please." in outcomes[1].message


def test_a_conflict_refuses_the_whole_batch_and_alone_it_tells_which_exists(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    there = fake.portal.add("contacts", email="eve@example.com")
    items = [person("ana"), person("eve")]
    with pytest.raises(BatchRefused, match="Contact already exists") as caught:
        remote.create(Kind.CONTACT, items)
    assert caught.value.code == "conflict"
    assert len(fake.portal.of("contacts")) == 1
    assert remote.create(Kind.CONTACT, items[1:]) == [Exists("email:eve@example.com", there)]


def test_a_conflict_that_is_told_of_its_row_needs_no_halving(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.conflicts_in_rows = True
    there = fake.portal.add("contacts", email="eve@example.com")
    outcomes = remote.create(Kind.CONTACT, [person("ana"), person("eve")])
    assert isinstance(outcomes[0], Done)
    assert outcomes[1] == Exists("email:eve@example.com", there)


def test_an_address_that_another_contact_has_is_refused_in_an_update(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    there = fake.portal.add("contacts", email="eve@example.com")
    (contact,) = created(remote, Kind.CONTACT, person())
    item = Item("k", {"email": "eve@example.com"}, id=contact)
    refused = Refused("k", "conflict", f"Contact already exists. Existing ID: {there}")
    assert remote.update(Kind.CONTACT, [item]) == [refused]


def test_without_multi_status_a_bad_row_refuses_the_batch(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.multi_status = False
    bad = person("eve", email="nonsense")
    with pytest.raises(BatchRefused) as caught:
        remote.create(Kind.CONTACT, [person(), bad])
    assert caught.value.code == "invalid-email"
    (outcome,) = remote.create(Kind.CONTACT, [bad])
    assert isinstance(outcome, Refused)
    assert outcome.code == "invalid-email"


@pytest.mark.parametrize("multi_status", [True, False])
def test_a_property_that_is_not_there_is_the_mappings_fault(
    remote: HubspotRemote, fake: FakeHubspot, multi_status: bool
) -> None:
    fake.multi_status = multi_status
    for items in ([person(colour="red")], [person(), person("eve", colour="red")]):
        with pytest.raises(SinkBroken, match="no property 'colour' of contacts") as caught:
            remote.create(Kind.CONTACT, items)
        assert "colour: null" in caught.value.hint


@pytest.mark.parametrize("multi_status", [True, False])
def test_an_update_of_what_is_gone_or_merged_says_so(
    remote: HubspotRemote, fake: FakeHubspot, multi_status: bool
) -> None:
    fake.multi_status = multi_status
    ana, eve, joe = created(remote, Kind.CONTACT, person("ana"), person("eve"), person("joe"))
    fake.portal.delete("contacts", ana)
    fake.portal.merge(joe, eve)
    for remote_id in (ana, eve, "999999"):
        assert remote.update(Kind.CONTACT, [Item("k", {"lastname": "x"}, id=remote_id)]) == [
            Gone("k")
        ]


def test_gone_rows_do_not_hold_up_others(remote: HubspotRemote, fake: FakeHubspot) -> None:
    ids = created(remote, Kind.APPOINTMENT, *(meeting(number) for number in range(3)))
    fake.portal.delete("meetings", ids[1])
    items = [Item(f"k{each}", {"hs_meeting_title": "Colour"}, id=each) for each in ids]
    outcomes = remote.update(Kind.APPOINTMENT, items)
    assert outcomes == [Done(f"k{ids[0]}", ids[0]), Gone(f"k{ids[1]}"), Done(f"k{ids[2]}", ids[2])]


@pytest.mark.parametrize("echoes", [True, False])
def test_an_update_that_reaches_a_survivor_tells_its_id(
    remote: HubspotRemote, fake: FakeHubspot, echoes: bool
) -> None:
    fake.portal.follows_merges, fake.echoes_traces = True, echoes
    ana, eve = created(remote, Kind.CONTACT, person("ana"), person("eve"))
    survivor = fake.portal.merge(ana, eve)
    item = Item("k", {"lastname": "Ruiz"}, id=eve)
    assert remote.update(Kind.CONTACT, [item]) == [Done("k", survivor)]
    assert fake.portal.get("contacts", survivor).properties["lastname"] == "Ruiz"


def test_rows_that_an_answer_leaves_out_are_looked_up(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.fail(Fault("contacts/upsert", 200, commits=True, body={"results": []}))
    (outcome,) = remote.create(Kind.CONTACT, [person()])
    assert outcome == Done("email:ana@example.com", fake.portal.of("contacts")[0].id)


def test_a_create_that_cannot_be_found_afterwards_is_not_taken_for_done(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.fail(Fault("contacts/upsert", 200, body={"results": []}))
    with pytest.raises(SinkUnavailable, match="left out 1 of the contacts"):
        remote.create(Kind.CONTACT, [person()])


def test_a_limit_met_after_the_write_is_not_taken_for_nothing_sent(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.fail(Fault("contacts/upsert", 200, commits=True, body={"results": []}))
    fake.fail(Fault("contacts/read", 429, headers={"Retry-After": "7"}))
    with pytest.raises(SinkUnavailable) as caught:
        remote.create(Kind.CONTACT, [person()])
    assert not isinstance(caught.value, NotSent)
    assert caught.value.retry_after == pytest.approx(7, abs=1)


def test_an_error_that_names_no_row_has_the_batch_halved(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    stray = {"category": "VALIDATION_ERROR", "message": "Something is wrong somewhere."}
    fake.fail(Fault("contacts/upsert", 207, body={"results": [], "errors": [stray]}, times=2))
    with pytest.raises(BatchRefused, match="wrong somewhere"):
        remote.create(Kind.CONTACT, [person("ana"), person("eve")])
    assert remote.create(Kind.CONTACT, [person("ana")]) == [
        Refused("email:ana@example.com", "validation-error", "Something is wrong somewhere.")
    ]


def test_archiving_puts_away_and_may_be_repeated(remote: HubspotRemote, fake: FakeHubspot) -> None:
    (visit,) = created(remote, Kind.APPOINTMENT, meeting())
    for _ in range(2):
        assert remote.archive([Item("k", {}, id=visit)]) == [Done("k", visit)]
    assert not fake.portal.of("meetings")


def test_links_are_one_call_a_batch_and_may_be_repeated(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    contacts = created(remote, Kind.CONTACT, *(person(f"p{each}") for each in range(100)))
    visits = created(remote, Kind.APPOINTMENT, *(meeting(each) for each in range(100)))
    pairs = [
        Pair(f"main/a_{number}", visit, contact)
        for number, (visit, contact) in enumerate(zip(visits, contacts, strict=True))
    ]
    fake.calls.clear()
    for _ in range(2):
        assert all(isinstance(outcome, Done) for outcome in remote.link(pairs))
    assert fake.calls == {"meetings/contacts/associate": 2}
    assert fake.portal.contacts_of("meetings", visits[7]) == {contacts[7]}
    for _ in range(2):
        assert all(isinstance(outcome, Done) for outcome in remote.unlink(pairs))
    assert not fake.portal.associations


def test_only_the_pairs_of_a_lost_contact_or_meeting_are_not_tied(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    ana, eve = created(remote, Kind.CONTACT, person("ana"), person("eve"))
    visits = created(remote, Kind.APPOINTMENT, *(meeting(number) for number in range(4)))
    fake.portal.delete("contacts", eve)
    fake.portal.delete("meetings", visits[3])
    pairs = [
        Pair("k0", visits[0], ana),
        Pair("k1", visits[1], eve),
        Pair("k2", visits[2], ana),
        Pair("k3", visits[3], ana),
    ]
    outcomes = {outcome.key: outcome for outcome in remote.link(pairs)}
    assert [type(outcomes[key]) for key in ("k0", "k1", "k2", "k3")] == [Done, Gone, Done, Gone]
    assert fake.portal.contacts_of("meetings", visits[0]) == {ana}


def test_a_whole_call_of_links_that_is_refused_is_halved(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    body = {"category": "VALIDATION_ERROR", "message": "One of them is wrong."}
    fake.fail(Fault("meetings/contacts/associate", 400, body=body, times=2))
    pairs = [Pair("k0", "1", "2"), Pair("k1", "3", "4")]
    with pytest.raises(BatchRefused, match="One of them is wrong"):
        remote.link(pairs)
    assert remote.link(pairs[:1]) == [Refused("k0", "validation-error", "One of them is wrong.")]


def test_a_contact_is_erased_by_its_id_and_once_is_enough(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    ana, ben = created(remote, Kind.CONTACT, person("ana"), person("ben"))
    assert remote.erase([ana]) == {}
    assert [record.id for record in fake.portal.of("contacts")] == [ben]
    assert remote.erase([ana]) == {}
    assert fake.calls["contacts/gdpr-delete"] == 2


def test_a_contact_that_is_not_erased_is_told_with_hubspots_words(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    (ana,) = created(remote, Kind.CONTACT, person("ana"))
    words = {"category": "VALIDATION_ERROR", "message": "A legal hold is on it."}
    fake.fail(Fault("contacts/gdpr-delete", status=400, body=words))
    assert remote.erase([ana]) == {ana: "A legal hold is on it."}
    assert len(fake.portal.of("contacts")) == 1
