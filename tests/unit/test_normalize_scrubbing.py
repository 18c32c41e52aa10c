"""Scrubbing: whatever shape a record has, nothing of a forgotten person is stored."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.model import APPOINTMENTS, PULLED
from zimun_sync.normalize import (
    Normalizer,
    Place,
    Places,
    Rules,
    Suppressions,
    digests_of,
    normalize_items,
    pack_row,
    record_name,
    unpack_row,
)
from zimun_sync.normalize.events import scrubbed as scrubbed_event
from zimun_sync.normalize.suppressions import digest_of

KEY = bytes(range(32))
EMAIL, PHONE = "canary@example.net", "+49 30 23125777"
THEIRS = [record_name("main", stream, "a_theirs") for stream in PULLED]
DIGESTS = frozenset(digests_of(KEY, [EMAIL], [PHONE], THEIRS, ["DE"]))
FOUND = digest_of(KEY, "record", record_name("main", "appointments", "a_found"))
RULES = Rules({}, {}, forgotten=Suppressions(KEY, DIGESTS | {FOUND}, source="main"))
PLACES = Places(Place("Europe/Berlin", "DE"))
NORMALIZER = Normalizer(APPOINTMENTS, RULES, PLACES)
TIME = "2026-11-02T09:45:00+01:00"
PERSONAL = [column.name for column in APPOINTMENTS.content if column.personal]

WORDS = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
SPELLINGS = st.sampled_from(["canary@example.net", "Canary@EXAMPLE.net", " canary@example.net "])
NUMBERS = st.sampled_from(["+49 30 23125777", "030/23125-777", "+493023125777", "(030) 23125777"])


def scrubbed(content: Any) -> bytes:
    [item] = NORMALIZER.scrubber.items([json.dumps(content).encode()])
    return item


def record(**fields: Any) -> dict[str, Any]:
    return {"appointment_id": "a_1", "appointment_time": TIME} | fields


@given(
    email=SPELLINGS, name=WORDS, extra=st.dictionaries(WORDS.map("x-{}".format), JSON, max_size=4)
)
def test_of_their_records_only_what_is_known_and_not_personal_stays(
    email: str, name: str, extra: dict[str, Any]
) -> None:
    content = extra | record(contact_email=email, contact_name=name, notes=name)
    [found] = normalize_items([json.dumps(content).encode()], NORMALIZER).records
    row = dict(
        zip((each.name for each in APPOINTMENTS.content), unpack_row(found.row), strict=False)
    )
    assert [row[name] for name in PERSONAL] == [None] * len(PERSONAL)
    assert row["appointment_id"] == "a_1"
    assert b"canary" not in found.raw.lower()


@given(number=NUMBERS)
def test_a_number_is_known_however_it_is_written(number: str) -> None:
    assert "contact_phone" not in json.loads(scrubbed(record(contact_phone=number)))


@given(content=JSON, email=SPELLINGS, name=WORDS)
def test_a_mention_anywhere_goes_and_the_rest_stays(content: Any, email: str, name: str) -> None:
    other = record(contact_name="Kim", known=content, deep=[{"who": f"see {email}!", "of": name}])
    found = json.loads(scrubbed(other))
    assert found == other | {"deep": [{"who": None, "of": name}]}


@given(content=JSON)
def test_what_is_not_about_them_keeps_its_bytes(content: Any) -> None:
    raw = json.dumps(record(contact_email="kim@example.org", more=content), indent=1).encode()
    assert NORMALIZER.scrubber.items([raw]) == [raw]


@given(content=st.dictionaries(WORDS, JSON, max_size=3), email=SPELLINGS)
def test_doing_it_again_changes_nothing(content: dict[str, Any], email: str) -> None:
    once = scrubbed(content | record(contact_email=email, copy=email))
    assert NORMALIZER.scrubber.items([once]) == [once]


@given(before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_bytes_that_are_no_record(before: bytes, after: bytes) -> None:
    raw = before + b" canary@example.net " + after
    [found] = NORMALIZER.scrubber.items([raw])
    assert b"canary" not in found
    assert NORMALIZER.scrubber.anything(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"appointment_id": "a_theirs", "contact_name": "Canary"}',
        b'"canary@example.net"',
        b'["canary\\u0040example.net"]',
        b'{"canary@example.net": 1}',
        b'{"notes": "canary@example.net."}',
    ],
    ids=["by its key", "a text", "escaped", "a name of a field", "before a full stop"],
)
def test_odd_places(raw: bytes) -> None:
    [found] = NORMALIZER.scrubber.items([raw])
    assert b"canary" not in found.lower()


@pytest.mark.parametrize(
    "fields",
    [
        {"contact_email": "Jo <canary@example.net>"},
        {"contact_email": "mailto:canary@example.net"},
        {"contact_email": "kim@example.org, canary@example.net"},
        {"contact_email": "canary@example.net;"},
        {"contact_phone": "030 23125777 / 0171 1234567"},
        {"contact_phone": "+49 30 23125777 ext. 5"},
    ],
    ids=["with a name", "a link", "two", "with a sign", "two numbers", "an extension"],
)
def test_an_address_among_other_words_names_its_owner(fields: dict[str, str]) -> None:
    found = json.loads(scrubbed(record(contact_name="Canary", **fields)))
    assert "contact_name" not in found


@pytest.mark.parametrize(
    "text",
    [
        "+49 30 23125777 2026-11-02",
        "+49 30 23125777 (10-12)",
        "+49 30 23125777 / 0171 1234567",
        "+49\u00a030\u00a023125777",
        "+49\u201330\u201323125777",
        "\u9023canary@example.net\u306b",
        "x_canary@example.net_",
    ],
)
def test_mentions_among_other_figures_and_letters(text: str) -> None:
    assert json.loads(scrubbed(record(notes=text, contact_name="Kim"))) == record(
        notes=None, contact_name="Kim"
    )


def test_fields_that_stay_hold_only_what_they_are_for() -> None:
    odd = {
        "price": {"amount": "5.00", "currency": "EUR", "payer": "Canary Jo"},
        "status": {"by": "Canary Jo"},
        "service_id": ["Canary", {"of": "Jo"}],
    }
    found = json.loads(scrubbed(record(contact_email=EMAIL, **odd)))
    assert found == record(price={"amount": "5.00", "currency": "EUR"})


def test_a_name_that_stands_twice() -> None:
    raw = b'{"appointment_id": "a", "more": "canary@example.net", "more": "kim"}'
    [found] = NORMALIZER.scrubber.items([raw])
    assert json.loads(found) == {"appointment_id": "a", "more": "kim"}
    assert b"canary" not in found


def test_a_record_of_theirs_that_names_nobody() -> None:
    """The source may take the address out, and leave the name."""
    nameless = {"appointment_id": "a_found", "appointment_time": TIME, "contact_name": "Canary"}
    assert "contact_name" not in json.loads(scrubbed(nameless))
    for other in ({"contact_email": "kim@example.org"}, {"contact_phone": "+493023125888"}):
        assert json.loads(scrubbed(nameless | other)) == nameless | other


@pytest.mark.parametrize(
    "event",
    [
        {"type": "customer.updated", "data": {"email": EMAIL, "name": "Canary"}},
        {"type": "customer.updated", "data": {"contact_phone": "030/23125-777", "n": "Canary"}},
        {"type": "x", "data": {"appointment": {"appointment_id": "a_theirs", "n": "Canary"}}},
        {"data": {"contact_email": EMAIL, "n": "Canary"}},
    ],
)
def test_nothing_stays_of_an_event_that_is_not_understood(event: dict[str, Any]) -> None:
    assert scrubbed_event(json.dumps(event).encode(), NORMALIZER.scrubber) == b"null"


def test_an_event_keeps_its_scrubbed_record() -> None:
    data = record(contact_email=EMAIL, contact_name="Canary")
    event = {"type": "appointment.updated", "timestamp": TIME, "data": data, "previous": data}
    found = json.loads(scrubbed_event(json.dumps(event).encode(), NORMALIZER.scrubber))
    assert found == {"type": "appointment.updated", "timestamp": TIME, "data": record()}


def test_an_event_about_others_keeps_its_bytes() -> None:
    raw = json.dumps({"type": "x", "data": record(contact_email="kim@example.org")}, indent=1)
    assert scrubbed_event(raw.encode(), NORMALIZER.scrubber) == raw.encode()


def test_rows_without_their_raw_content() -> None:
    for fields in ({"contact_email": EMAIL}, {"contact_phone": "+493023125777"}):
        clear = Normalizer(APPOINTMENTS, Rules({}, {}), PLACES)
        raw = json.dumps(record(contact_name="Canary", notes="canary", **fields)).encode()
        row = unpack_row(clear.normalize(raw).row)
        found = NORMALIZER.scrubber.row("a_1", row)
        assert b"anary" not in pack_row(found)
        assert NORMALIZER.scrubber.row("a_1", found) == found


def test_rows_that_mention_them() -> None:
    clear = Normalizer(APPOINTMENTS, Rules({}, {}), PLACES)
    raw = json.dumps(record(contact_name="Kim", notes=f"with {EMAIL}", more={"of": EMAIL})).encode()
    row = unpack_row(clear.normalize(raw).row)
    named = dict(
        zip(
            (each.name for each in APPOINTMENTS.content),
            NORMALIZER.scrubber.row("a_1", row),
            strict=False,
        )
    )
    assert (named["contact_name"], named["notes"]) == ("Kim", None)
    assert json.loads(named["extra"]) == {"more": {"of": None}}


def test_nobody_asked() -> None:
    nobody = Rules({}, {})
    scrubber = Normalizer(APPOINTMENTS, nobody, PLACES).scrubber
    items = [b"{}", b"not json"]
    assert scrubber.items(items) is items
    assert not scrubber
    assert nobody.fingerprint() != RULES.fingerprint()


def test_every_stream_can_be_scrubbed() -> None:
    for stream in PULLED.values():
        raw = json.dumps({stream.key: "a_theirs", "name": "Canary"}).encode()
        [found] = Normalizer(stream, RULES, PLACES).scrubber.items([raw])
        kept = "name" in json.loads(found)
        personal = {column.name for column in stream.content if column.personal}
        known = {column.name for column in stream.content}
        assert kept == ("name" in known - personal)


def test_a_digest_tells_nothing_without_the_key() -> None:
    other = digests_of(bytes(32), [EMAIL], [PHONE], [], ["DE"])
    assert DIGESTS.isdisjoint(other)
    assert all(EMAIL.encode() not in digest for digest in DIGESTS)
