"""Contacts and events: created, found, read, updated, archived, and what is said of each."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.salesforce.conftest import START, Make, contact, event
from tests.salesforce.fake import FakeSalesforce, Fault
from tests.salesforce.org import instant
from tests.salesforce.schema import CONTACT, EVENT, USER, Column
from zimun_connectors.salesforce import SalesforceRemote
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import (
    By,
    Done,
    Exists,
    Gone,
    Item,
    Kind,
    NotSent,
    Outcome,
    Refused,
    RemoteContext,
)


def by_key(outcomes: Iterable[Outcome]) -> dict[str, Outcome]:
    return {outcome.key: outcome for outcome in outcomes}


def only(outcomes: Iterable[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def done(outcome: Outcome) -> str:
    assert isinstance(outcome, Done), outcome
    return outcome.id


def refused(outcome: Outcome) -> Refused:
    assert isinstance(outcome, Refused), outcome
    return outcome


# -- creating -------------------------------------------------------------------------------


def test_a_contact_and_its_event_are_created_and_tied(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    ana = done(only(remote.create(Kind.CONTACT, [contact("email:ana@example.com")])))
    visit = replace(event("main/a1", Location="Main street"), contact_id=ana)
    done(only(remote.create(Kind.APPOINTMENT, [visit])))
    (kept,) = fake.org.live(EVENT)
    assert kept.values["WhoId"] == ana
    assert kept.values["Zimun_Key__c"] == "main/a1"
    assert instant(kept.values["StartDateTime"]) == START
    assert instant(kept.values["EndDateTime"]) == START + timedelta(minutes=30)


def test_a_create_that_comes_twice_makes_one_record(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    first = done(only(remote.create(Kind.APPOINTMENT, [event("main/a1")])))
    again = done(only(remote.create(Kind.APPOINTMENT, [event("main/a1")])))
    assert first == again
    assert len(fake.org.live(EVENT)) == 1


def test_what_is_committed_and_then_answered_500_is_not_doubled(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    fake.fail(Fault("Event/upsert", 500, commits=True))
    with pytest.raises(SinkUnavailable) as raised:
        remote.create(Kind.APPOINTMENT, [event("main/a1")])
    assert not isinstance(raised.value, NotSent)
    done(only(remote.create(Kind.APPOINTMENT, [event("main/a1")])))
    assert len(fake.org.live(EVENT)) == 1


def test_450_records_take_three_calls_and_keep_their_keys(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    items = [event(f"main/a{number}", Subject=f"No. {number}") for number in range(450)]
    outcomes = by_key(remote.create(Kind.APPOINTMENT, items))
    assert fake.calls["Event/upsert"] == 3
    for item in items:
        record = fake.org.get(done(outcomes[item.key]))
        assert record is not None
        assert record.values["Subject"] == item.fields["Subject"]


def test_bad_records_are_refused_with_their_words_and_the_others_written(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    fake.org.refused["nobody"] = "Ask the front desk first."
    items = [contact(f"email:c{number}@example.com") for number in range(10)]
    items[3] = contact(items[3].key, LastName="nobody")
    items[7] = Item(items[7].key, {"Email": "c7@example.com"})
    outcomes = by_key(remote.create(Kind.CONTACT, items))
    assert refused(outcomes[items[3].key]).message == "Ask the front desk first."
    missing = refused(outcomes[items[7].key])
    assert missing.code == "required-field-missing"
    assert "LastName" in missing.message
    assert len(fake.org.live(CONTACT)) == 8


def test_one_value_that_fails_a_whole_call_is_found_by_halving(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    items = [event(f"main/a{number}") for number in range(50)]
    items[17] = event("main/a17", StartDateTime=datetime(2026, 11, 20, 9))  # noqa: DTZ001
    outcomes = by_key(remote.create(Kind.APPOINTMENT, items))
    assert refused(outcomes["main/a17"]).code == "json-parser-error"
    assert len(fake.org.live(EVENT)) == 49


def test_a_key_that_several_records_carry_is_ambiguous(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    for _ in range(2):
        fake.org.add(EVENT, Zimun_Key__c="main/a1", StartDateTime="2026-11-20T08:45:00.000+0000")
    outcome = refused(only(remote.create(Kind.APPOINTMENT, [event("main/a1")])))
    assert outcome.code == "ambiguous"


def test_300_for_a_call_is_ambiguous_for_the_one_record_it_means(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    fake.fail(
        Fault("Event/upsert", 300, ["/a", "/b"], times=None, only=lambda c: b"main/a2" in c.content)
    )
    items = [event(f"main/a{number}") for number in range(4)]
    outcomes = by_key(remote.create(Kind.APPOINTMENT, items))
    assert refused(outcomes["main/a2"]).code == "ambiguous"
    assert len(fake.org.live(EVENT)) == 3


def test_a_key_taken_at_the_same_moment_exists(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    taken = fake.org.add(CONTACT, Zimun_Key__c="email:ana@example.com", LastName="Ruiz")
    words = (
        f"duplicate value found: Zimun_Key__c duplicates value on record with id: {taken.id[:15]}"
    )
    body = [{"success": False, "errors": [{"statusCode": "DUPLICATE_VALUE", "message": words}]}]
    fake.fail(Fault("Contact/upsert", 200, body))
    outcome = only(remote.create(Kind.CONTACT, [contact("email:ana@example.com")]))
    assert outcome == Exists("email:ana@example.com", taken.id)


def test_a_duplicate_rule_refuses_in_words(remote: SalesforceRemote, fake: FakeSalesforce) -> None:
    fake.org.duplicate_rule = "alert"
    fake.org.add(CONTACT, LastName="Ruiz", Email="ana@example.com")
    outcome = refused(only(remote.create(Kind.CONTACT, [contact("email:ana@example.com")])))
    assert outcome.code == "duplicates-detected"
    assert "allow_duplicates" in outcome.message


def test_allow_duplicates_passes_over_an_alert_but_not_over_a_block(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.org.add(CONTACT, LastName="Ruiz", Email="ana@example.com")
    remote = make(allow_duplicates=True)
    remote.connect(context)
    fake.org.duplicate_rule = "block"
    refused(only(remote.create(Kind.CONTACT, [contact("email:ana@example.com")])))
    fake.org.duplicate_rule = "alert"
    done(only(remote.create(Kind.CONTACT, [contact("email:ana@example.com")])))


def test_values_arrive_as_salesforce_takes_them(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    berlin = datetime.fromisoformat("2026-11-20T09:45:30.250+01:00")
    fake.org.tables[EVENT]["Price__c"] = Column("int")
    item = event("main/a1", StartDateTime=berlin, Price__c=Decimal("49.0000"), IsReminderSet=False)
    done(only(remote.create(Kind.APPOINTMENT, [item])))
    sent = fake.requests[-1].json()["records"][0]
    assert sent["StartDateTime"] == "2026-11-20T08:45:30.250Z"
    assert sent["Price__c"] == 49
    assert sent["IsReminderSet"] is False


# -- finding and reading --------------------------------------------------------------------


def test_records_are_found_by_key_and_read_by_id(remote: SalesforceRemote) -> None:
    made = done(only(remote.create(Kind.APPOINTMENT, [event("main/it's \\ 100%")])))
    fields = ["Subject", "StartDateTime", "Description"]
    found = remote.find(Kind.APPOINTMENT, By.KEY, ["main/it's \\ 100%", "main/none"], fields)
    ((key, (one,)),) = found.items()
    assert (key, one.id) == ("main/it's \\ 100%", made)
    assert one.fields == {"Subject": "Cut", "StartDateTime": START, "Description": None}
    assert remote.read(Kind.APPOINTMENT, [made], fields) == {made: one}


def test_fields_are_found_whatever_case_the_mapping_spells_them_in(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    ana = fake.org.add(CONTACT, LastName="Ruiz", Email="ana@example.com")
    found = remote.find(Kind.CONTACT, By.EMAIL, ["ana@example.com"], ["lastname"])
    assert found["ana@example.com"][0].fields == {"lastname": "Ruiz"}
    assert found["ana@example.com"][0].id == ana.id


def test_an_archived_event_is_found_all_the_same(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    made = done(only(remote.create(Kind.APPOINTMENT, [event("main/a1")])))
    record = fake.org.get(made)
    assert record is not None
    record.is_archived = True
    assert remote.find(Kind.APPOINTMENT, By.KEY, ["main/a1"], [])["main/a1"][0].id == made


def test_a_deleted_event_is_neither_found_nor_read(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    made = done(only(remote.create(Kind.APPOINTMENT, [event("main/a1")])))
    fake.org.delete_by_hand(made)
    assert remote.find(Kind.APPOINTMENT, By.KEY, ["main/a1"], []) == {}
    assert remote.read(Kind.APPOINTMENT, [made], []) == {}


def test_everyone_with_an_email_address_is_found_in_any_case(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    two = {
        fake.org.add(CONTACT, LastName="Ruiz", Email=each).id
        for each in ("Ana@Example.com", "ana@example.com")
    }
    found = remote.find(Kind.CONTACT, By.EMAIL, ["ana@example.com", "bo@example.com"], [])
    assert {each.id for each in found["ana@example.com"]} == two
    assert "bo@example.com" not in found


def test_thousands_of_keys_fit_into_addresses_and_pages(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    fake.api.page_size = 100
    keys = [f"main/apt_{number:030d}" for number in range(1_500)]
    for key in keys:
        fake.org.add(EVENT, Zimun_Key__c=key, StartDateTime="2026-11-20T08:45:00.000+0000")
    found = remote.find(Kind.APPOINTMENT, By.KEY, keys, ["Subject"])
    assert set(found) == set(keys)
    assert max(call.length for call in fake.requests) < 16_384


@pytest.mark.parametrize(
    "typed",
    ["+43 660 1234567", "0660 123 45 67", "0043 (660) 1234567", "+436601234567", "0660/1234567"],
)
def test_a_phone_number_is_found_however_it_was_typed(
    remote: SalesforceRemote, fake: FakeSalesforce, typed: str
) -> None:
    ana = fake.org.add(CONTACT, LastName="Ruiz", MobilePhone=typed)
    found = remote.find(Kind.CONTACT, By.PHONE, ["+436601234567"], ["Email"])
    assert [each.id for each in found["+436601234567"]] == [ana.id]


@pytest.mark.parametrize(
    "typed", ["+49 660 1234567", "+43 661 1234567", "1234567", "+43 660 1234567 ext. 12", "n/a"]
)
def test_another_phone_number_is_not_taken_for_it(
    remote: SalesforceRemote, fake: FakeSalesforce, typed: str
) -> None:
    fake.org.add(CONTACT, LastName="Ruiz", Phone=typed)
    assert remote.find(Kind.CONTACT, By.PHONE, ["+436601234567"], []) == {}


def test_a_contact_with_the_number_in_two_fields_is_found_once(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    fake.org.add(CONTACT, LastName="Ruiz", Phone="0660 1234567", MobilePhone="+436601234567")
    found = remote.find(Kind.CONTACT, By.PHONE, ["+436601234567"], [])
    assert len(found["+436601234567"]) == 1


def test_many_phone_numbers_are_looked_for_among_all_there_are(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    phones = [f"+43660{number:07d}" for number in range(600)]
    ana = fake.org.add(CONTACT, LastName="Ruiz", Phone="0660 0000599")
    before = fake.calls["query"]
    found = remote.find(Kind.CONTACT, By.PHONE, phones, [])
    assert {phone: each[0].id for phone, each in found.items()} == {phones[599]: ana.id}
    assert fake.calls["query"] - before == 2


def test_a_merged_contact_leads_to_the_last_survivor(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    ids = [fake.org.add(CONTACT, LastName=name).id for name in ("Ruiz", "Ruiz", "Ruiz-Berg")]
    fake.org.merge(ids[0], ids[1])
    fake.org.merge(ids[1], ids[2])
    gone = fake.org.add(CONTACT, LastName="Moe").id
    fake.org.delete_by_hand(gone)
    found = remote.read(Kind.CONTACT, [ids[0], ids[2], gone], ["LastName"])
    assert {asked: each.id for asked, each in found.items()} == {ids[0]: ids[2], ids[2]: ids[2]}
    assert found[ids[0]].fields == {"LastName": "Ruiz-Berg"}


# -- updating and archiving -----------------------------------------------------------------


def made_event(remote: SalesforceRemote, key: str = "main/a1") -> Item:
    made = done(only(remote.create(Kind.APPOINTMENT, [event(key)])))
    return Item(key, {}, id=made)


def test_an_update_changes_the_fields_it_has_and_no_others(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    item = made_event(remote)
    change = replace(item, fields={"Subject": "Colour", "Description": None})
    assert only(remote.update(Kind.APPOINTMENT, [change])) == Done("main/a1", str(item.id))
    record = fake.org.get(item.id)
    assert record is not None
    assert (record.values["Subject"], record.values["DurationInMinutes"]) == ("Colour", 30)


def test_a_start_that_moves_alone_takes_the_length_along(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    item = made_event(remote)
    record = fake.org.get(item.id)
    assert record is not None
    record.values["DurationInMinutes"] = 45  # somebody made it longer there
    later = START + timedelta(days=1)
    done(only(remote.update(Kind.APPOINTMENT, [replace(item, fields={"StartDateTime": later})])))
    assert instant(record.values["StartDateTime"]) == later
    assert instant(record.values["EndDateTime"]) == later + timedelta(minutes=45)


def test_a_length_that_changes_alone_takes_the_start_along(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    item = made_event(remote)
    done(only(remote.update(Kind.APPOINTMENT, [replace(item, fields={"DurationInMinutes": 60})])))
    record = fake.org.get(item.id)
    assert record is not None
    assert instant(record.values["EndDateTime"]) == START + timedelta(minutes=60)


def test_a_gone_event_is_gone_for_update_and_archive(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    item = made_event(remote)
    fake.org.delete_by_hand(str(item.id))
    assert only(remote.update(Kind.APPOINTMENT, [replace(item, fields={"Subject": "x"})])) == Gone(
        "main/a1"
    )
    moved = replace(item, fields={"StartDateTime": START})
    assert only(remote.update(Kind.APPOINTMENT, [moved])) == Gone("main/a1")
    assert only(remote.archive([item])) == Gone("main/a1")
    unknown = replace(item, id="00U5g00000000zzAAA")
    assert only(remote.archive([unknown])) == Gone("main/a1")


def test_an_archived_appointment_is_in_the_recycle_bin(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    items = [made_event(remote, f"main/a{number}") for number in range(3)]
    outcomes = remote.archive(items[:2])
    assert {outcome.key for outcome in outcomes if isinstance(outcome, Done)} == {
        "main/a0",
        "main/a1",
    }
    assert [record.id for record in fake.org.live(EVENT)] == [items[2].id]


def test_an_event_keeps_its_contact_unless_it_is_tied_to_another(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    ana, bo = (fake.org.add(CONTACT, LastName=name).id for name in ("Ruiz", "Berg"))
    item = replace(made_event(remote), contact_id=ana, retied=True)
    record = fake.org.get(item.id)
    assert record is not None
    done(only(remote.update(Kind.APPOINTMENT, [item])))
    record.values["WhoId"] = bo  # somebody tied it to another one there
    kept = replace(item, fields={"Subject": "Colour"}, retied=False)
    done(only(remote.update(Kind.APPOINTMENT, [kept])))
    assert record.values["WhoId"] == bo


def test_an_event_whose_new_contact_is_gone_is_refused_and_not_taken_for_gone(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    ana = fake.org.add(CONTACT, LastName="Ruiz").id
    fake.org.delete_by_hand(ana)
    item = replace(made_event(remote), contact_id=ana, retied=True)
    assert refused(only(remote.update(Kind.APPOINTMENT, [item]))).code == "contact-gone"
    new = replace(event("main/a2"), contact_id=ana)
    refused(only(remote.create(Kind.APPOINTMENT, [new])))


# -- owners ---------------------------------------------------------------------------------


def test_users_are_known_by_email_and_by_id(remote: SalesforceRemote, fake: FakeSalesforce) -> None:
    ana = fake.org.add(USER, Email="ana@org.example", UserType="Standard", IsActive=True).id
    bo = fake.org.add(USER, Email="bo@org.example", UserType="Standard", IsActive=False).id
    fake.org.add(USER, Email="ana@org.example", UserType="CspLitePortal", IsActive=True)
    by_email = remote.owners_by_email(["ana@org.example", "bo@org.example", "cy@org.example"])
    assert {email: (each.id, each.active) for email, each in by_email.items()} == {
        "ana@org.example": (ana, True),
        "bo@org.example": (bo, False),
    }
    by_id = remote.owners_by_id([ana[:15], bo, "5512", "005000000000000"])
    assert {each: owner.active for each, owner in by_id.items()} == {ana[:15]: True, bo: False}


def test_an_address_that_two_active_users_share_is_nobodys(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    for _ in range(2):
        fake.org.add(USER, Email="desk@org.example", UserType="Standard", IsActive=True)
    assert remote.owners_by_email(["desk@org.example"]) == {}


# -- what stops everything ------------------------------------------------------------------


def test_a_locked_record_has_the_call_come_again(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    item = made_event(remote)
    fake.org.locked.add(str(item.id))
    with pytest.raises(SinkUnavailable, match="UNABLE_TO_LOCK_ROW"):
        remote.update(Kind.APPOINTMENT, [replace(item, fields={"Subject": "x"})])


def test_a_field_without_rights_is_named(remote: SalesforceRemote, fake: FakeSalesforce) -> None:
    fake.org.tables[EVENT]["Location"] = Column(writable=False)
    with pytest.raises(SinkBroken, match="Location") as raised:
        remote.create(Kind.APPOINTMENT, [event("main/a1", Location="Main street")])
    assert "permission set" in raised.value.hint


def test_a_field_that_went_away_is_named(remote: SalesforceRemote, fake: FakeSalesforce) -> None:
    del fake.org.tables[EVENT]["Location"]
    with pytest.raises(SinkBroken, match="Location"):
        remote.create(Kind.APPOINTMENT, [event("main/a1", Location="Main street")])
    with pytest.raises(SinkBroken, match="Location"):
        remote.find(Kind.APPOINTMENT, By.KEY, ["main/a1"], ["Location"])


def test_a_cut_connection_is_not_now(remote: SalesforceRemote, fake: FakeSalesforce) -> None:
    fake.fail(Fault("Event/upsert", None, commits=True))
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, [event("main/a1")])
    assert len(fake.org.live(EVENT)) == 1


def test_a_limit_met_at_the_first_call_means_that_nothing_was_sent(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    body = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    fake.fail(Fault("Event/upsert", 403, body))
    with pytest.raises(NotSent) as raised:
        remote.create(Kind.APPOINTMENT, [event("main/a1")])
    assert raised.value.retry_after == 900


def test_a_limit_met_after_a_first_call_does_not(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    body = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    fake.fail(Fault("Event/upsert", 403, body, only=lambda call: b"main/a399" in call.content))
    with pytest.raises(SinkUnavailable) as raised:
        remote.create(Kind.APPOINTMENT, [event(f"main/a{number}") for number in range(400)])
    assert not isinstance(raised.value, NotSent)
    assert len(fake.org.live(EVENT)) == 200


def test_utc_is_what_salesforce_stores(remote: SalesforceRemote) -> None:
    before_dst_ends = datetime.fromisoformat("2026-10-24T10:00:00+02:00")
    after = datetime.fromisoformat("2026-10-25T10:00:00+01:00")
    item = made_event(remote)
    for start in (before_dst_ends, after):
        done(
            only(remote.update(Kind.APPOINTMENT, [replace(item, fields={"StartDateTime": start})]))
        )
        read = remote.read(Kind.APPOINTMENT, [str(item.id)], ["StartDateTime"])
        assert read[str(item.id)].fields["StartDateTime"] == start.astimezone(UTC)
