"""Credentials, scopes, properties, limits: what concerns the account and not a row."""

import re
from typing import Any

import pytest
from pydantic import ValidationError

from tests.hubspot.conftest import Make, context, meeting, person, settings_of
from tests.hubspot.fake import FakeHubspot, Fault
from zimun_connectors.hubspot.config import HubspotSettings
from zimun_connectors.hubspot.remote import HubspotRemote
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import (
    Account,
    Archives,
    By,
    Cancels,
    Done,
    Item,
    Kind,
    KnowsOwners,
    Links,
)

OAUTH = {"client_id": "c-1", "client_secret": "hush", "refresh_token": "refresh-1"}


def test_it_has_the_abilities_that_hubspot_has(make: Make) -> None:
    remote = make()
    assert all(isinstance(remote, each) for each in (Archives, KnowsOwners, Links))
    assert not isinstance(remote, Cancels)
    assert remote.abilities.batch == 100


def test_the_account_is_the_portal(make: Make, fake: FakeHubspot) -> None:
    account = make().connect(context())
    assert account == Account("24681357", "app-eu1.hubspot.com, portal 24681357")
    fake.portal.id = 99
    assert make().connect(context()).id == "99"


def test_preparing_makes_properties_once_and_connecting_none(make: Make, fake: FakeHubspot) -> None:
    remote = make()
    remote.connect(context())
    assert "zimun_key" not in fake.portal.definitions["contacts"]
    remote.prepare()
    for kind in ("contacts", "meetings"):
        assert fake.portal.definitions[kind]["zimun_key"]["hasUniqueValue"] is True
        assert "hasUniqueValue" not in fake.portal.definitions[kind]["zimun_source"]
        assert (kind, "zimun") in fake.portal.groups
    made = fake.calls["properties/write"]
    remote.prepare()
    assert fake.calls["properties/write"] == made


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"colour": {"value": "red"}}, "no property 'colour' of meetings"),
        ({"createdate": "starts_at"}, "'createdate' of meetings cannot be written"),
    ],
)
def test_connecting_sees_a_mapping_that_the_portal_cannot_take(
    make: Make, fake: FakeHubspot, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(SinkBroken, match=words) as caught:
        make(appointment={"fields": fields}).connect(context())
    assert "null" in caught.value.hint
    make(appointment={"fields": dict.fromkeys(fields)}).connect(context())
    assert fake.calls["properties/write"] == 0


def test_an_account_without_a_property_of_ours_does_with_less(
    make: Make, fake: FakeHubspot
) -> None:
    del fake.portal.definitions["appointments"]["hs_appointment_status"]
    with pytest.raises(SinkBroken, match="'hs_appointment_status' of appointments"):
        make(object="appointments").connect(context())
    fields = {"hs_appointment_status": None}
    make(object="appointments", appointment={"fields": fields}).connect(context())


def test_two_sinks_may_prepare_a_portal_at_the_same_time(make: Make, fake: FakeHubspot) -> None:
    make().prepare()
    body = {"category": "OBJECT_NOT_FOUND", "message": "Not yet."}
    fake.fail(Fault("properties/read", 404, body=body, times=4))
    make().prepare()
    assert len(fake.portal.groups) == 2


def test_names_of_properties_and_the_mark_are_settings(make: Make, fake: FakeHubspot) -> None:
    remote = make(key_property="booking_key", source_property=None)
    remote.prepare()
    remote.create(Kind.CONTACT, [person()])
    properties = fake.portal.of("contacts")[0].properties
    assert properties["booking_key"] == "email:ana@example.com"
    assert not {"zimun_key", "zimun_source"} & fake.portal.definitions["contacts"].keys()


def test_a_key_property_that_is_not_unique_is_refused(make: Make, fake: FakeHubspot) -> None:
    fake.portal.definitions["meetings"]["zimun_key"] = {"type": "string"}
    with pytest.raises(SinkBroken, match="'zimun_key' of meetings does not hold unique"):
        make().prepare()


def test_a_property_that_cannot_be_made_says_why(make: Make, fake: FakeHubspot) -> None:
    body = {"category": "VALIDATION_ERROR", "message": "Too many unique properties."}
    fake.fail(
        Fault("properties/write", 201),
        Fault("properties/write", 400, body=body),
    )
    with pytest.raises(SinkBroken, match=r"'zimun_key' of contacts: Too many unique"):
        make().prepare()


@pytest.mark.parametrize(
    ("scope", "act"),
    [
        ("crm.schemas.contacts.read", lambda remote: remote.prepare()),
        ("crm.objects.contacts.write", lambda remote: remote.create(Kind.CONTACT, [person()])),
        ("crm.objects.contacts.read", lambda remote: remote.read(Kind.CONTACT, ["1"], [])),
        ("crm.objects.owners.read", lambda remote: remote.owners_by_id(["1"])),
    ],
)
def test_a_missing_scope_is_named(
    remote: HubspotRemote, fake: FakeHubspot, scope: str, act: Any
) -> None:
    fake.scopes.remove(scope)
    with pytest.raises(SinkBroken, match=re.escape(scope)) as caught:
        act(remote)
    assert "scope" in str(caught.value)
    assert "resume" in caught.value.hint


def test_a_403_without_scopes_gives_hubspots_words(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.fail(Fault(status=403, body={"message": "The user cannot view contacts."}))
    with pytest.raises(SinkBroken, match="The user cannot view contacts"):
        remote.read(Kind.CONTACT, ["1"], [])


def test_a_token_that_was_taken_back_is_a_persons_matter(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.expire_tokens()
    with pytest.raises(SinkBroken, match="401"):
        remote.read(Kind.CONTACT, ["1"], [])


def test_oauth_signs_in_and_again_when_its_token_expires(make: Make, fake: FakeHubspot) -> None:
    remote = make(**OAUTH)
    remote.connect(context())
    remote.prepare()
    fake.expire_tokens()
    assert isinstance(remote.create(Kind.CONTACT, [person()])[0], Done)
    assert fake.calls["token"] == 2
    assert len(fake.portal.of("contacts")) == 1


def test_oauth_credentials_that_are_refused_are_not_repeated_in_the_message(
    make: Make, fake: FakeHubspot
) -> None:
    with pytest.raises(SinkBroken, match="refresh token") as caught:
        make(**{**OAUTH, "client_secret": "s3cret-wrong"}).connect(context())
    assert "s3cret-wrong" not in str(caught.value) + caught.value.hint
    assert fake.calls == {"token": 1}


def test_a_429_waits_and_writes_nothing(remote: HubspotRemote, fake: FakeHubspot) -> None:
    fake.limit(retry_after="60")
    with pytest.raises(SinkUnavailable) as caught:
        remote.create(Kind.CONTACT, [person()])
    assert caught.value.retry_after == pytest.approx(60, abs=2)
    assert not fake.portal.of("contacts")
    calls = fake.calls.total()
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.CONTACT, [person()])
    assert fake.calls.total() == calls


def test_the_days_calls_are_left_to_others_from_the_reserve_on(
    make: Make, fake: FakeHubspot
) -> None:
    fake.daily = 5004
    remote = make(limits={"daily_reserve": 5000})
    remote.connect(context())
    assert not remote.read(Kind.CONTACT, ["1"], [])
    with pytest.raises(SinkUnavailable, match="5000 of 250000 calls") as caught:
        remote.read(Kind.CONTACT, ["1"], [])
    assert caught.value.retry_after == pytest.approx(3600, abs=5)


def test_a_used_up_day_is_not_the_rows_fault(make: Make, fake: FakeHubspot) -> None:
    fake.daily = 0
    with pytest.raises(SinkUnavailable, match="daily limit"):
        make().connect(context())


@pytest.mark.parametrize(("status", "seconds"), [(423, 2), (477, 120)])
def test_a_locked_or_moving_account_is_waited_for(
    remote: HubspotRemote, fake: FakeHubspot, status: int, seconds: int
) -> None:
    headers = {"Retry-After": "120"} if status == 477 else {}
    fake.fail(Fault(status=status, body={"message": "Not now."}, headers=headers))
    with pytest.raises(SinkUnavailable, match="Not now") as caught:
        remote.create(Kind.CONTACT, [person()])
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("body", [{}, {"message": "Resource not found"}])
def test_an_address_that_hubspot_does_not_know_is_not_a_gone_row(
    remote: HubspotRemote, fake: FakeHubspot, body: dict[str, str]
) -> None:
    fake.fail(Fault(status=404, body=body))
    with pytest.raises(SinkBroken, match="404") as caught:
        remote.update(Kind.CONTACT, [Item("k", {}, id="1")])
    assert "api_version" in caught.value.hint


def test_a_call_of_ours_that_hubspot_refuses_is_not_retried_for_ever(
    make: Make, fake: FakeHubspot
) -> None:
    fake.fail(Fault("details", 400, body={"message": "Bad request [{oddly put"}))
    with pytest.raises(SinkBroken, match="Bad request"):
        make().connect(context())


def test_an_object_that_is_not_activated_is_named(make: Make, fake: FakeHubspot) -> None:
    fake.portal.deactivate("appointments")
    remote = make(object="appointments")
    with pytest.raises(SinkBroken, match="appointments") as caught:
        remote.prepare()
    assert "activated" in caught.value.hint
    with pytest.raises(SinkBroken, match="appointments"):
        remote.find(Kind.APPOINTMENT, By.KEY, ["main/a_1"], [])


def test_a_page_in_between_is_not_taken_for_an_answer(
    remote: HubspotRemote, fake: FakeHubspot
) -> None:
    fake.fail(Fault("meetings/upsert", 200, body={"results": None}))
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, [meeting()])


def test_every_call_is_told_of(make: Make, fake: FakeHubspot) -> None:
    made: list[None] = []
    told = context()
    remote = make()
    remote.connect(type(told)(told.name, told.now, told.stop, lambda: made.append(None)))
    remote.find(Kind.CONTACT, By.PHONE, ["+436601234567"], [])
    assert len(made) == fake.calls.total() == 4


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"token": "t", **OAUTH},
        {"client_id": "c", "client_secret": "s"},
        {"token": "t", "object": "deals"},
        {"token": "t", "api_version": "v3"},
        {"token": "t", "key_property": "Zimun Key"},
        {"token": "t", "base_url": "api.hubapi.com"},
        {"token": "t", "colour": "red"},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HubspotSettings.model_validate({"start_from": "now", **given})


def test_a_start_is_asked_for(fake: FakeHubspot) -> None:
    with pytest.raises(ValidationError, match="start_from"):
        HubspotSettings.model_validate({"token": "t"})
    assert settings_of(fake).start_from == "all"
