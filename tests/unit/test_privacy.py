"""Policies for columns: what a sink is shown, and that nothing else gets through."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.thorough import times
from zimun_sync.model import (
    APPOINTMENT_VERSIONS,
    APPOINTMENTS,
    LOCATIONS,
    SERVICES,
    STAFF,
    STREAMS,
    ColumnType,
    Stream,
)
from zimun_sync.privacy import OPEN, Guard, GuardedLookup, HashKey, Policies, Policy, fits
from zimun_sync.promoting import promoted_column
from zimun_sync.sinks import Batch, StoredChange
from zimun_sync.testing.builders import make_row

KEY = HashKey("1", b"0123456789abcdef")
#: What must not get through. It has what no domain and no phone number has.
CANARY = "Ge#heim"
PROMOTED = tuple(
    promoted_column(f"own_{kind.value}", kind, [kind.value])
    for kind in (ColumnType.TEXT, ColumnType.JSON, ColumnType.INTEGER, ColumnType.DATE)
)
PROMOTING = {
    name: replace(stream, promoted=PROMOTED) if "appointment" in name else stream
    for name, stream in STREAMS.items()
}


def guard(
    personal: str = "allow", key: HashKey | None = KEY, **columns: Mapping[str, str]
) -> Guard:
    named = {
        stream: {name: Policy(each) for name, each in given.items()}
        for stream, given in columns.items()
    }
    return Guard(Policies(Policy(personal), named), key, PROMOTING)


def shown(by: Guard, stream: Stream, **values: Any) -> dict[str, Any]:
    """A record as a sink gets it, and `hash`."""
    [change] = by.batch(batch(stream, **values)).changes
    assert change.row is not None
    return {**change.row, "hash": change.hash}


def batch(stream: Stream, **values: Any) -> Batch:
    row = make_row(stream, "k_1", **values)
    return Batch("main", stream, [StoredChange(7, "k_1", row, "0" * 32, "run", 0)])


def of_email(policy: str, value: str) -> Any:
    found = shown(guard(appointments={"contact_email": policy}), APPOINTMENTS, contact_email=value)
    return found["contact_email"]


# -- what each policy makes of a value -------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "masked"),
    [
        ("contact_email", "anna.berg@example.com", "a***@example.com"),
        ("contact_email", " Anna@Example.com ", "A***@Example.com"),
        ("contact_email", "a@example.com", "***@example.com"),
        ("contact_email", "Anna Berg <anna@example.com>", "A***"),
        ("contact_email", "anna@home", "a***"),
        ("contact_phone", "+436601234567", "+43***67"),
        ("contact_phone", "+12125550123", "+1***23"),
        ("contact_phone", "+999123456789", "***89"),
        ("contact_phone", "0660 123 45 67", "***67"),
        ("contact_phone", "110", "***"),
        ("contact_phone", "call Anna", "***"),
        ("contact_name", "Anna Berg", "A***"),
        ("contact_name", "Bo", "B***"),
        ("contact_name", "李", "***"),
        ("notes", "anna.berg@example.com", "a***@example.com"),
        ("notes", "+436601234567", "+43***67"),
        ("notes", "write to anna@example.com", "w***"),
        ("notes", "me@#1.secret", "m***"),
        ("notes", "", ""),
        ("notes", " \t", ""),
        ("notes", None, None),
        ("extra", '{"a":"Anna","b":[1,{"c":null}]}', '{"a":"***","b":["***",{"c":null}]}'),
        ("extra", '"Anna"', '"***"'),
    ],
)
def test_mask(column: str, value: str | None, masked: str | None) -> None:
    found = shown(guard(appointments={column: "mask"}), APPOINTMENTS, **{column: value})
    assert found[column] == masked


def test_hash_is_the_keyed_digest_that_anyone_with_the_key_gets() -> None:
    """By `printf %s anna@example.com | openssl dgst -sha256 -hmac 0123456789abcdef`."""
    assert of_email("hash", "Anna@Example.com") == "v1:18ad5ee274fd35417922e6d32dbcf89d"


def test_the_same_value_has_the_same_hash_in_every_column_and_stream() -> None:
    by = guard("hash")
    email, phone = "anna@example.com", "+436601234567"
    customer = shown(by, APPOINTMENTS, contact_email=f" {email.upper()} ", contact_phone=phone)
    person = shown(by, STAFF, email=email, phone=f"{phone} ")
    field = shown(by, PROMOTING["appointments"], own_text=email, own_json={"a": [email], "b": 7})
    [of_field] = json.loads(field["own_json"])["a"]
    assert customer["contact_email"] == person["email"] == field["own_text"] == of_field
    assert customer["contact_phone"] == person["phone"]
    assert shown(by, STAFF, name="Anna")["name"] != shown(by, STAFF, name="anna")["name"]


def test_hash_keeps_a_documents_keys_and_hashes_every_value_but_null() -> None:
    given = {"vip": True, "n": 12345678901234567890, "x": None, "l": [{}, 1.50], "\ud800": "u"}
    document = json.dumps(given)
    found = shown(guard(appointments={"extra": "hash"}), APPOINTMENTS, extra=document)["extra"]
    told = json.loads(found)
    assert list(told) == list(given)
    assert (told["x"], told["l"][0]) == (None, {})
    hashes = [told["vip"], told["n"], told["l"][1], told["\ud800"]]
    assert all(each.startswith("v1:") and len(each) == 35 for each in hashes)
    found.encode()  # half a surrogate stays escaped


def test_a_document_nested_too_deeply_is_one_value() -> None:
    deep = "[" * 900 + f'"{CANARY}"' + "]" * 900
    found = shown(guard(appointments={"extra": "mask"}), APPOINTMENTS, extra=deep)["extra"]
    assert CANARY not in found
    json.loads(found)


def test_empty_texts_are_nobodys() -> None:
    assert of_email("hash", "  ") == ""
    assert shown(guard("hash"), APPOINTMENTS)["contact_email"] is None


def test_another_key_makes_other_hashes() -> None:
    other = HashKey("2", b"fedcba9876543210")
    values = {"contact_email": "anna@example.com"}
    one, two = (shown(guard("hash", each), APPOINTMENTS, **values) for each in (KEY, other))
    assert two["contact_email"].startswith("v2:")
    assert one["contact_email"][3:] != two["contact_email"][3:]
    assert guard("hash").fingerprint != guard("hash", other).fingerprint


def test_no_key_no_hash() -> None:
    with pytest.raises(ValueError, match="key"):
        guard("hash", key=None)
    assert guard("mask", key=None).hidden


# -- which policy applies --------------------------------------------------------------------


def test_a_column_that_is_named_goes_before_the_rest() -> None:
    by = guard("drop", appointments={"notes": "allow", "price_amount": "drop"}, staff={})
    values = {"notes": "kept", "contact_name": "gone", "price_amount": 3, "status": "held"}
    found = shown(by, APPOINTMENTS, **values)
    assert (found["notes"], found["status"]) == ("kept", "held")
    assert (found["contact_name"], found["price_amount"]) == (None, None)
    assert shown(by, SERVICES, name="Cut", extra={"a": 1})["extra"] is None


def test_versions_follow_their_appointments() -> None:
    by = guard(appointments={"contact_email": "hash"})
    values = {"contact_email": "anna@example.com"}
    found = [shown(by, each, **values) for each in (APPOINTMENTS, APPOINTMENT_VERSIONS)]
    assert found[0]["contact_email"] == found[1]["contact_email"] != values["contact_email"]


@pytest.mark.parametrize("personal", ["mask", "hash"])
def test_a_personal_column_that_cannot_be_masked_is_dropped(personal: str) -> None:
    found = shown(guard(personal), PROMOTING["appointments"], own_integer=4, own_text="four")
    assert found["own_integer"] is None
    assert found["own_text"] is not None


def test_nothing_hidden_is_the_same_batch() -> None:
    offered = batch(LOCATIONS, name="Vienna")
    for by in OPEN, guard(appointments={"notes": "drop"}, locations={"name": "allow"}):
        assert by.batch(offered) is offered
        assert not by.covers(LOCATIONS)
    assert OPEN.fingerprint == guard(appointments={"notes": "allow"}).fingerprint == ""


def test_deletions_go_through() -> None:
    gone = Batch("main", APPOINTMENTS, [StoredChange(1, "a", None, "", "run", 0)], asked=True)
    assert guard("drop").batch(gone) == gone


# -- laws ------------------------------------------------------------------------------------

POLICIES = st.sampled_from(["allow", "drop", "mask", "hash"])
AROUND = st.text(st.characters(codec="utf-8"), max_size=3)
TOKEN = st.one_of(
    st.builds(lambda a, b: a + CANARY + b, AROUND, AROUND),
    st.sampled_from([f"{CANARY}@example.com", f"+43 {CANARY} 1234567", f"x@{CANARY}.example.com"]),
)
DOCUMENT = st.recursive(
    TOKEN, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(AROUND, inner))
)
VALUES = {ColumnType.TEXT: TOKEN, ColumnType.JSON: DOCUMENT.map(json.dumps)}


@st.composite
def hidden_batches(draw: st.DrawFn) -> tuple[Guard, Batch]:
    """A stream's batch with the canary in everything that some policies hide."""
    stream = PROMOTING[draw(st.sampled_from(sorted(PROMOTING)))]
    governing = "appointments" if stream.name == "appointment_versions" else stream.name
    free = [column for column in PROMOTING[governing].filled if column.name != stream.key]
    named = draw(st.dictionaries(st.sampled_from(free), POLICIES))
    columns = {each.name: to for each, to in named.items() if fits(Policy(to), each.type)}
    by = guard(draw(POLICIES), KEY, **{governing: columns})
    hidden = by.hidden.get(stream.name, {})
    values = {
        column.name: draw(VALUES[column.type])
        for column in stream.filled
        if column.name in hidden and column.type in VALUES
    }
    return by, batch(stream, **values)


@settings(max_examples=times(60, 1_000))
@given(hidden_batches())
def test_no_policy_lets_through_what_it_hides(drawn: tuple[Guard, Batch]) -> None:
    by, offered = drawn
    once = by.batch(offered)
    [change] = once.changes
    assert CANARY not in repr(once.stored)
    assert CANARY not in repr(change)
    assert CANARY.casefold() not in repr(change).casefold()
    assert by.batch(offered).stored == once.stored  # what comes again is the same


@settings(max_examples=times(60, 1_000))
@given(hidden_batches())
def test_a_lookup_shows_what_a_batch_shows(drawn: tuple[Guard, Batch]) -> None:
    by, offered = drawn
    [clear], [change] = offered.changes, by.batch(offered).changes

    class Held:
        def rows(self, *_asked: Any) -> Mapping[str, Mapping[str, Any]]:
            assert clear.row is not None
            return {"k_1": clear.row}

    found = GuardedLookup(Held(), by).rows("main", offered.stream.name, ["k_1"])  # type: ignore[arg-type]
    assert found == {"k_1": change.row}


TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


@settings(max_examples=times(60, 1_000))
@given(one=TEXT, other=TEXT, policy=st.sampled_from(["drop", "mask", "hash"]))
@example(one="a", other="b", policy="hash")
def test_hashes_of_rows_are_equal_where_what_is_shown_is(one: str, other: str, policy: str) -> None:
    by = guard(appointments={"notes": policy})
    first, second = (shown(by, APPOINTMENTS, notes=each) for each in (one, other))
    assert (first["hash"] == second["hash"]) is (first["notes"] == second["notes"])


@given(local=st.text("abzäßé.", min_size=1, max_size=6), blanks=st.text(" \t\n", max_size=2))
def test_case_and_blanks_of_an_address_make_no_difference(local: str, blanks: str) -> None:
    address = f"{local}@example.com"
    wanted = of_email("hash", address)
    for spelt in (address.upper(), address.title(), blanks + address, address + blanks):
        if spelt.casefold().strip() == address.casefold():  # ß has no capital that comes back
            assert of_email("hash", spelt) == wanted
