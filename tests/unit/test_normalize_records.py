"""Each field of a record: where it comes from, what it becomes, where the unknown goes."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import STREAMS
from zimun_sync.normalize import Place, Places, Rules
from zimun_sync.normalize.fields import DEFAULT_FIELDS, mappable_columns
from zimun_sync.normalize.finishing import STATUSES
from zimun_sync.normalize.items import normalize_items

BERLIN = Places(Place("Europe/Berlin", "DE"))


def test_every_field_of_an_appointment(bench: Any) -> None:
    row = bench(places=BERLIN).row(
        appointment_id="a_7",
        organization_id="o_1",
        location_id="l_1",
        service_id="s_1",
        staff_id="t_1",
        resource_id="r_1",
        appointment_time="2026-06-01T09:45:00-05:00",
        appointment_duration=45,
        status="confirmed",
        contact_name="Zoë Müller",
        contact_email="zoe@example.com",
        contact_phone="030 901820",
        notes="first, visit\n",
        price={"amount": "45.50", "currency": "EUR"},
        created_at="2026-05-01T00:00:00Z",
        updated_at="2026-05-02T00:00:00.123456+02:00",
        booking_code="X1",
    )

    assert row == {
        "appointment_id": "a_7",
        "organization_id": "o_1",
        "location_id": "l_1",
        "service_id": "s_1",
        "staff_id": "t_1",
        "resource_id": "r_1",
        "status": "confirmed",
        "source_status": "confirmed",
        "starts_at": datetime(2026, 6, 1, 14, 45, tzinfo=UTC),
        "ends_at": datetime(2026, 6, 1, 15, 30, tzinfo=UTC),
        "local_start": datetime(2026, 6, 1, 16, 45),  # noqa: DTZ001 - a wall clock
        "local_date": date(2026, 6, 1),
        "timezone": "Europe/Berlin",
        "utc_offset_minutes": 120,
        "duration_minutes": 45,
        "contact_name": "Zoë Müller",
        "contact_email": "zoe@example.com",
        "contact_phone": "+4930901820",
        "notes": "first, visit\n",
        "price_amount": Decimal("45.50"),
        "price_currency": "EUR",
        "created_at": datetime(2026, 5, 1, tzinfo=UTC),
        "updated_at": datetime(2026, 5, 1, 22, 0, 0, 123456, tzinfo=UTC),
        "deleted_at": None,
        "extra": '{"booking_code":"X1"}',
    }


def test_id_and_time_are_all_an_appointment_needs(bench: Any) -> None:
    row = bench().row()

    given = {"appointment_id", "starts_at", "local_start", "local_date", "utc_offset_minutes"}
    assert {column for column, value in row.items() if value is not None} == given


@pytest.mark.parametrize("stream", DEFAULT_FIELDS)
def test_null_is_the_same_as_missing(bench: Any, stream: str) -> None:
    at = bench(stream)
    columns = mappable_columns(stream) - {STREAMS[stream].key, "starts_at"}
    nulls = {DEFAULT_FIELDS[stream].get(column, (column,))[0]: None for column in columns}

    assert at.row(**nulls) == at.row()


def test_a_resource_booking_has_no_service_and_no_staff(bench: Any) -> None:
    row = bench().row(resource_id="r_1", appointment_duration=90)

    assert (row["resource_id"], row["service_id"], row["staff_id"]) == ("r_1", None, None)
    assert row["duration_minutes"] == 90


@pytest.mark.parametrize(
    ("stream", "given", "expected"),
    [
        (
            "services",
            {
                "name": "Cut",
                "description": "Hair",
                "duration": 30,
                "price": {"amount": 25, "currency": "USD"},
                "location_ids": ["l_2", "l_1"],
                "active": True,
            },
            {
                "name": "Cut",
                "description": "Hair",
                "duration_minutes": 30,
                "price_amount": Decimal(25),
                "price_currency": "USD",
                "location_ids": '["l_2","l_1"]',
                "active": True,
            },
        ),
        (
            "staff",
            {"name": "Kim", "email": "k@example.com", "service_ids": [], "active": False},
            {"name": "Kim", "email": "k@example.com", "service_ids": "[]", "active": False},
        ),
        ("resources", {"name": "Room", "kind": "room"}, {"name": "Room", "kind": "room"}),
        (
            "locations",
            {"name": "North", "timezone": "Asia/Kolkata", "address": {"city": "Pune", "a": 1}},
            {"name": "North", "timezone": "Asia/Kolkata", "address": '{"a":1,"city":"Pune"}'},
        ),
        (
            "organization",
            {"name": "Studio", "timezone": "UTC", "country": "IN", "currency": "INR"},
            {"name": "Studio", "timezone": "UTC", "country": "IN", "currency": "INR"},
        ),
    ],
)
def test_the_other_streams(
    bench: Any, stream: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    row = bench(stream).row(**given)

    assert {column: row[column] for column in expected} == expected
    assert row["extra"] is None


# -- keys and aliases -----------------------------------------------------------------------


@pytest.mark.parametrize("alias", ["appointment_id", "booking_id", "id"])
def test_an_identifier_has_three_names(bench: Any, alias: str) -> None:
    raw = json.dumps({alias: "a_9", "appointment_time": "2026-01-01T00:00:00Z"}).encode()

    assert bench().normalizer.normalize(raw).key == "a_9"
    assert bench().row(raw)["extra"] is None


def test_the_first_name_that_is_not_null_counts(bench: Any) -> None:
    assert bench().normalize(appointment_id=None, booking_id="a_2", id="x").key == "a_2"


def test_a_numeric_identifier_becomes_text(bench: Any) -> None:
    row = bench().row(appointment_id=17, service_id=18446744073709551616)

    assert (row["appointment_id"], row["service_id"]) == ("17", "18446744073709551616")


@pytest.mark.parametrize("missing", [None, ""])
def test_a_record_without_identifier_is_refused(bench: Any, missing: str | None) -> None:
    assert bench().refusal(appointment_id=missing) == (
        "missing-id",
        "The record has no 'appointment_id'.",
    )


@pytest.mark.parametrize("identifier", ["x" * 501, "a\0b"])
def test_a_key_that_no_index_takes_is_refused(bench: Any, identifier: str) -> None:
    at = bench()

    assert at.refusal(appointment_id=identifier)[0] == "bad-id"
    assert at.normalizer.key_of(at.record(appointment_id=identifier)) is None
    assert at.normalize(appointment_id="x" * 500).key == "x" * 500


def test_the_key_of_a_refused_record(bench: Any) -> None:
    at = bench()

    assert at.normalizer.key_of(at.record(appointment_time="soon")) == "a_1"
    assert at.normalizer.key_of(at.record(appointment_id=["a"])) is None
    assert at.normalizer.key_of(b'{"id": "a_1"') is None
    assert bench("staff").normalizer.key_of(b'{"id": 5}') == "5"


def test_the_organization_of_a_record(bench: Any) -> None:
    at = bench()

    assert at.normalizer.organization_of(at.normalize(organization_id="o_9")) == "o_9"
    assert at.normalizer.organization_of(at.normalize()) is None


# -- the user's rules -----------------------------------------------------------------------


def test_fields_can_be_renamed(bench: Any) -> None:
    rules = Rules(
        {"appointments": {"notes": ("remark", "comment"), "price": ("total",)}}, statuses={}
    )

    row = bench(rules=rules).row(
        comment="c", notes="n", total={"amount": 1, "currency": "EUR"}, price="free"
    )

    assert (row["notes"], row["price_amount"]) == ("c", Decimal(1))
    assert json.loads(row["extra"]) == {"notes": "n", "price": "free"}


def test_a_renamed_field_is_named_in_a_refusal(bench: Any) -> None:
    rules = Rules({"appointments": {"notes": ("remark",), "price": ("total",)}}, statuses={})

    assert "'remark'" in bench(rules=rules).refusal(remark=5)[1]
    assert "'total.amount'" in bench(rules=rules).refusal(total={"amount": "x"})[1]


@pytest.mark.parametrize("stream", DEFAULT_FIELDS)
def test_every_mappable_column_takes_its_value_from_the_name_given(bench: Any, stream: str) -> None:
    for column in mappable_columns(stream) - {"price", "starts_at"}:
        rules = Rules({stream: {column: ("renamed",)}}, statuses={})
        fields = bench(stream, rules).row(**_value(stream, column))
        assert fields[column] is not None


def _value(stream: str, column: str) -> dict[str, Any]:
    kind = next(known.type for known in STREAMS[stream].content if known.name == column)
    values = {"integer": 5, "boolean": True, "instant": "2026-01-01T00:00:00Z"}
    return {"renamed": values.get(kind, "UTC")}


def test_the_fingerprint_tells_rules_apart_but_not_their_order() -> None:
    one = Rules({"staff": {"name": ("a",), "phone": ("b",)}}, {"x": "held", "y": "other"})
    other_order = Rules({"staff": {"phone": ("b",), "name": ("a",)}}, {"y": "other", "x": "held"})

    assert one.fingerprint() == other_order.fingerprint()
    prints = {
        one.fingerprint(),
        Rules({}, {}).fingerprint(),
        Rules({}, {}, "DE").fingerprint(),
        Rules({}, {"x": "held"}).fingerprint(),
        Rules({"staff": {"name": ("b",), "phone": ("a",)}}, {}).fingerprint(),
    }
    assert len(prints) == 5


# -- statuses -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_known_statuses_pass_through(bench: Any, status: str) -> None:
    row = bench().row(status=status)

    assert (row["status"], row["source_status"]) == (status, status)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("Cancelled", "cancelled"),
        ("canceled", "cancelled"),
        (" NO-SHOW ", "no_show"),
        ("no show", "no_show"),
        ("noshow", "no_show"),
        ("waitlisted", "other"),
        ("", "other"),
        ("нет", "other"),
    ],
)
def test_spellings_and_unknown_statuses(bench: Any, given: str, status: str) -> None:
    row = bench().row(status=given)

    assert (row["status"], row["source_status"]) == (status, given)


def test_the_users_word_on_a_status_comes_first(bench: Any) -> None:
    rules = Rules({}, {"checked_in": "confirmed", "held": "scheduled", "odd": "other"})

    assert bench(rules=rules).row(status="checked_in")["status"] == "confirmed"
    assert bench(rules=rules).row(status="held")["status"] == "scheduled"
    assert bench(rules=rules).row(status="odd")["status"] == "other"
    assert bench(rules=rules).row(status="Checked_in")["status"] == "other"


# -- what nobody knows ----------------------------------------------------------------------


def test_unknown_fields_are_kept_exactly(bench: Any) -> None:
    raw = (
        b'{"id":"a","appointment_time":"2026-01-01T00:00:00Z","z":1.10,"big":18446744073709551617,'
        b'"nested":{"b":[null,true],"a":"\xc3\xa9"},"tiny":1e-400}'
    )

    assert bench().row(raw)["extra"] == (
        '{"big":18446744073709551617,"nested":{"a":"é","b":[null,true]},"tiny":1E-400,"z":1.10}'
    )


def test_unknown_fields_of_a_price_are_kept(bench: Any) -> None:
    row = bench().row(price={"amount": 1, "currency": "EUR", "tax": "0.19"}, x=1)

    assert json.loads(row["extra"]) == {"price": {"tax": "0.19"}, "x": 1}


def test_only_priced_streams_have_prices(bench: Any) -> None:
    assert json.loads(bench("staff").row(price={"amount": 1})["extra"]) == {"price": {"amount": 1}}


# -- hashes ---------------------------------------------------------------------------------


def test_the_order_of_fields_does_not_matter(bench: Any) -> None:
    one = b'{"id":"a","appointment_time":"2026-01-01T00:00:00Z","x":{"a":1,"b":2}}'
    other = b'{"x":{"b":2,"a":1}, "appointment_time":"2026-01-01T00:00:00Z","id":"a"}'
    at = bench().normalizer

    assert at.normalize(one).hash == at.normalize(other).hash
    assert at.normalize(one).row_hash == at.normalize(other).row_hash
    assert at.normalize(one).raw == one


def test_a_change_of_any_field_changes_the_hash(bench: Any) -> None:
    at = bench()
    variants: list[dict[str, Any]] = [
        {},
        {"notes": "x"},
        {"notes": None},
        {"unknown": 1},
        {"unknown": "1"},
    ]

    assert len({at.normalize(**fields).hash for fields in variants}) == len(variants)


def test_new_rules_change_the_row_but_not_the_hash_of_the_source(bench: Any) -> None:
    before, after = bench(), bench(rules=Rules({}, {"odd": "confirmed"}))

    assert before.normalize(status="odd").hash == after.normalize(status="odd").hash
    assert before.normalize(status="odd").row_hash != after.normalize(status="odd").row_hash


@pytest.mark.parametrize("first", ["45", "45.0", "45.00"])
def test_a_row_does_not_depend_on_the_records_before_it(bench: Any, first: str) -> None:
    at = bench()

    def amount(text: str) -> bytes:
        raw = at.record(price={"amount": "#", "currency": "EUR"}).replace(b'"#"', text.encode())
        packed: bytes = at.normalizer.normalize(raw).row
        return packed

    amount(first)
    assert len({amount("45"), amount("45.0"), amount("45.00")}) == 3


def test_the_source_says_when_it_was_updated(bench: Any) -> None:
    assert bench().normalize(updated_at="1970-01-01T00:00:01Z").updated_at == 1_000_000
    assert bench().normalize().updated_at is None


# -- what is no record ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"id": \xff}', "not-json"),
        (b'{"id": "\\ud800"}', "not-json"),
        (b'{"id": NaN}', "not-json"),
        (b'{"n": 1e99999999999999999999}', "not-json"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not-json"),
        (b'{"n": ' + b"[" * 100_000, "not-json"),
        (b"[]", "not-an-object"),
        (b"null", "not-an-object"),
        (b'"text"', "not-an-object"),
        (b"{}", "missing-id"),
    ],
)
def test_bytes_that_are_no_record(bench: Any, raw: bytes, code: str) -> None:
    at = bench().normalizer

    with pytest.raises(RecordInvalid) as caught:
        at.normalize(raw)
    assert caught.value.code == code


def test_one_bad_record_stands_alone(bench: Any) -> None:
    at = bench()
    page = [at.record(), at.record(appointment_id="a_2", notes=5), b"{", at.record(booking_id=3)]

    items = normalize_items(page, at.normalizer)

    assert [record.raw for record in items.records] == [page[0], page[3]]
    assert [(refused.key, refused.code) for refused in items.refused] == [
        ("a_2", "wrong-type"),
        (f"sha256:{sha256(b'{').hexdigest()}", "not-json"),
    ]
    assert [refused.raw for refused in items.refused] == page[1:3]
