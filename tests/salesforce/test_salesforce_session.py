"""Signing in, whose organization it is, what it has to have, and its limits."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.salesforce.conftest import Make, event
from tests.salesforce.fake import CLIENT_SECRET, USERNAME, FakeSalesforce, Fault
from tests.salesforce.org import full_id
from tests.salesforce.schema import CONTACT, EVENT, Column
from zimun_connectors.salesforce import SalesforceRemote
from zimun_connectors.salesforce.signing import organization_of
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.remotes.contract import (
    Archives,
    By,
    Cancels,
    Kind,
    KnowsOwners,
    Links,
    NotSent,
    RemoteContext,
)


def test_the_account_is_the_organization(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    account = make().connect(context)
    assert account.id == fake.org.id
    assert len(account.id) == 18
    assert account.label in fake.url
    fake.swap_org()
    assert make().connect(context).id == fake.org.id != account.id


def test_an_id_of_15_characters_becomes_one_of_18() -> None:
    token = {"id": "https://login.salesforce.com/id/00D50000000IZ3Z/00550000001fg5O"}
    assert organization_of(token) == "00D50000000IZ3ZEAW" == full_id("00D50000000IZ3Z")


def test_a_sign_in_that_tells_no_organization_is_refused() -> None:
    with pytest.raises(SinkBroken, match="organization"):
        organization_of({"id": "https://login.example"})


def test_connecting_writes_nothing_and_can_be_repeated(
    remote: SalesforceRemote, context: RemoteContext, fake: FakeSalesforce
) -> None:
    remote.connect(context)
    remote.prepare()
    assert fake.written == 0
    assert fake.calls["token"] == 1
    assert fake.calls["Contact/describe"] == fake.calls["Event/describe"] == 1


def test_refused_credentials_need_a_person_and_stay_secret(
    make: Make, context: RemoteContext
) -> None:
    with pytest.raises(SinkBroken, match="invalid_client") as raised:
        make(client_id="another").connect(context)
    assert CLIENT_SECRET not in f"{raised.value.message} {raised.value.hint}"


def test_a_private_key_signs_in_for_a_user(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    fake.public_key = (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    remote = make(client_secret=..., username=USERNAME, private_key=private)
    assert remote.connect(context).id == fake.org.id
    assert fake.claims["sub"] == USERNAME


def test_an_expired_session_is_renewed_in_the_midst_of_work(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    fake.expire_sessions()
    remote.create(Kind.APPOINTMENT, [event("main/a1")])
    assert len(fake.org.live(EVENT)) == 1
    assert fake.calls["token"] == 2


@pytest.mark.parametrize(
    ("table", "name"), [(CONTACT, "Zimun_Key__c"), (EVENT, "Zimun_Status__c"), (EVENT, "Location")]
)
def test_a_missing_field_is_named_before_anything_is_written(
    make: Make, context: RemoteContext, fake: FakeSalesforce, table: str, name: str
) -> None:
    del fake.org.tables[table][name]
    with pytest.raises(SinkBroken, match=f"{table} has no field {name}"):
        make().connect(context)


def test_a_field_that_is_mapped_is_asked_for_and_one_taken_out_is_not(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    del fake.org.tables[EVENT]["Zimun_Status__c"]
    make(appointment={"fields": {"Zimun_Status__c": None}}).connect(context)
    with pytest.raises(SinkBroken, match="Price__c"):
        make(appointment={"fields": {"Price__c": "price_amount"}}).connect(context)


def test_a_field_that_cannot_be_written_is_named(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.org.tables[CONTACT]["LeadSource"] = Column(writable=False)
    with pytest.raises(SinkBroken, match="not write the field LeadSource"):
        make().connect(context)


def test_a_key_field_that_is_not_unique_is_refused(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.org.tables[EVENT]["Zimun_Key__c"] = Column(unique=False)
    with pytest.raises(SinkBroken, match="not unique") as raised:
        make().connect(context)
    assert "External ID" in raised.value.hint


def test_an_unknown_api_version_is_named(make: Make, context: RemoteContext) -> None:
    with pytest.raises(SinkBroken) as raised:
        make(api_version="31.0").connect(context)
    assert "api_version" in raised.value.hint


def test_used_up_calls_are_a_pause(
    remote: SalesforceRemote, fake: FakeSalesforce, context: RemoteContext
) -> None:
    fake.most_calls = fake.used_calls
    with pytest.raises(SinkUnavailable) as raised:
        remote.find(Kind.CONTACT, By.EMAIL, ["ana@example.com"], [])
    assert raised.value.retry_after == pytest.approx(900, abs=60)


def test_the_reserve_is_left_to_others(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    remote = make(daily_reserve=10_000)
    remote.connect(context)
    fake.used_calls = fake.most_calls - 10_000
    remote.create(Kind.APPOINTMENT, [event("main/a1")])  # its answer tells
    before = fake.calls.total()
    with pytest.raises(SinkUnavailable) as raised:
        remote.create(Kind.APPOINTMENT, [event("main/a2")])
    assert raised.value.retry_after == pytest.approx(900, abs=60)
    assert fake.calls.total() == before


def test_too_many_calls_at_once_are_a_short_pause(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    words = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    body = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": words}]
    fake.fail(Fault("query", 403, body))
    with pytest.raises(NotSent) as raised:
        remote.find(Kind.CONTACT, By.EMAIL, ["ana@example.com"], [])
    assert raised.value.retry_after == 60


def test_every_call_is_told_to_the_engine(
    remote: SalesforceRemote, calls: list[int], fake: FakeSalesforce
) -> None:
    remote.create(Kind.APPOINTMENT, [event("main/a1")])
    assert len(calls) == fake.calls.total() - fake.calls["token"]


def test_a_page_of_html_is_not_taken_for_an_answer(
    remote: SalesforceRemote, fake: FakeSalesforce
) -> None:
    fake.fail(Fault("Event/upsert", 200, b"<html><body>Maintenance</body></html>"))
    with pytest.raises(SinkUnavailable):
        remote.create(Kind.APPOINTMENT, [event("main/a1")])


def test_what_the_remote_can_do_is_known_before_it_is_connected(make: Make) -> None:
    remote = make()
    assert isinstance(remote, Archives)
    assert isinstance(remote, KnowsOwners)
    assert not isinstance(remote, Cancels | Links)
    assert remote.abilities.safe_creates == {Kind.CONTACT, Kind.APPOINTMENT}
    assert (Kind.CONTACT, By.PHONE) in remote.abilities.finds
    assert remote.abilities.batch == 10_000
    assert make(bulk_above=None).abilities.batch == 2_000
    remote.close()


def test_an_instance_without_https_gets_no_token(
    make: Make, context: RemoteContext, fake: FakeSalesforce
) -> None:
    fake.instance_url = "http://crm.example"
    with pytest.raises(SinkBroken, match="https"):
        make().connect(context)
