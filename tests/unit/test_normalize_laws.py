"""Laws that hold for any input whatever."""

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import STREAMS
from zimun_sync.normalize import (
    Normalized,
    Normalizer,
    Place,
    Places,
    Rules,
    normalize_items,
    unpack_row,
)
from zimun_sync.sinks import Batch, StoredChange
from zimun_sync.tables import upserts_table

PLACES = Places(Place("America/New_York", "US"), {"l_1": Place("Europe/Berlin", "DE")})
NORMALIZERS = {name: Normalizer(stream, Rules({}, {}), PLACES) for name, stream in STREAMS.items()}
FIELDS = [
    *("appointment_id", "id", "organization_id", "location_id", "service_id", "staff_id"),
    *("resource_id", "appointment_time", "appointment_duration", "status", "contact_name"),
    *("contact_email", "contact_phone", "notes", "price", "created_at", "updated_at"),
    *("duration", "location_ids", "service_ids", "active", "timezone", "phone", "address"),
]
TIMES = st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat())
TEXT = st.text(st.characters(codec="utf-8"))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | TIMES
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT | st.sampled_from(["amount", "currency"]), inner, max_size=3)
    ),
    max_leaves=5,
)
RECORDS = st.dictionaries(st.sampled_from(FIELDS) | TEXT, VALUES, max_size=12)
STREAM = st.sampled_from(sorted(STREAMS))


def normalized(stream: str, raw: bytes) -> Normalized | RecordInvalid:
    """The record, or why it is refused; anything else is raised."""
    try:
        return NORMALIZERS[stream].normalize(raw)
    except RecordInvalid as error:
        return error


@given(stream=STREAM, raw=st.binary())
def test_any_bytes_are_normalized_or_refused(stream: str, raw: bytes) -> None:
    normalized(stream, raw)
    NORMALIZERS[stream].key_of(raw)


@settings(max_examples=300)
@given(stream=STREAM, record=RECORDS)
def test_any_json_is_normalized_or_refused(stream: str, record: dict[str, Any]) -> None:
    raw = json.dumps(record).encode()

    found = normalized(stream, raw)

    if isinstance(found, RecordInvalid):
        assert found.code
        assert found.message
    else:
        assert found.key == NORMALIZERS[stream].key_of(raw)
        assert found.raw == raw


WORKABLE = st.fixed_dictionaries(
    {"appointment_id": TEXT.filter(bool), "appointment_time": TIMES},
    optional={
        "appointment_duration": st.integers(0, 10_000) | st.floats(0, 5),
        "location_id": st.sampled_from(["l_1", "l_2", ""]),
        "contact_phone": st.from_regex(r"\+?[0-9 ()/x-]{0,20}", fullmatch=True) | TEXT,
        "price": st.fixed_dictionaries(
            {}, optional={"amount": st.decimals(-999, 999, places=2).map(str), "currency": TEXT}
        ),
        "status": TEXT,
        "notes": TEXT,
        "updated_at": TIMES,
    },
)


@settings(max_examples=300)
@given(record=WORKABLE, unknown=RECORDS)
def test_whatever_is_normalized_can_be_delivered(
    record: dict[str, Any], unknown: dict[str, Any]
) -> None:
    found = normalized("appointments", json.dumps(unknown | record).encode())
    assume(not isinstance(found, RecordInvalid))
    assert isinstance(found, Normalized)

    stream = STREAMS["appointments"]
    stored = StoredChange(1, found.key, unpack_row(found.row), found.row_hash.hex(), "run", 0)
    batch = Batch("main", stream, [stored])

    (change,) = batch.changes
    assert change.row is not None
    assert change.row["appointment_id"] == found.key
    [row] = upserts_table(batch).to_pylist()
    assert {name: row[name] for name in change.row} == change.row


@given(record=WORKABLE | RECORDS, order=st.randoms(use_true_random=False), stream=STREAM)
def test_the_order_of_fields_never_matters(record: dict[str, Any], order: Any, stream: str) -> None:
    names = list(record)
    order.shuffle(names)
    shuffled = {name: record[name] for name in names}

    one = normalized(stream, json.dumps(record).encode())
    other = normalized(stream, json.dumps(shuffled, indent=1).encode())

    if isinstance(one, Normalized) and isinstance(other, Normalized):
        assert one._replace(raw=b"") == other._replace(raw=b"")
    else:
        assert type(one) is type(other) is RecordInvalid


ITEMS = st.binary(max_size=5) | (RECORDS | WORKABLE).map(lambda record: json.dumps(record).encode())


@settings(max_examples=300)
@given(stream=STREAM, page=st.lists(ITEMS, max_size=6))
def test_a_page_is_what_its_items_are_one_by_one(stream: str, page: list[bytes]) -> None:
    alone = [normalized(stream, raw) for raw in page]

    items = normalize_items(page, NORMALIZERS[stream])

    assert items.records == [each for each in alone if isinstance(each, Normalized)]
    told = [(each.code, each.message) for each in alone if isinstance(each, RecordInvalid)]
    assert [(refused.code, refused.message) for refused in items.refused] == told
    assert [type(each) for each in NORMALIZERS[stream].normalize_each(page)] == [
        type(each) for each in alone
    ]


def test_a_large_page_keeps_its_order_and_every_refusal() -> None:
    page = [b'{"service_id": "s_%d"}' % number for number in range(2_300)]
    bad = (0, 999, 1_000, 2_299)
    for number in bad:
        page[number] = b"bad %d" % number

    items = normalize_items(page, NORMALIZERS["services"])

    assert [each.raw for each in items.refused] == [page[number] for number in bad]
    assert [each.raw for each in items.records] == [
        raw for number, raw in enumerate(page) if number not in bad
    ]
    assert [each.key for each in items.records[:2]] == ["s_1", "s_2"]
    assert items.records[-1].key == "s_2298"


@given(records=st.lists(RECORDS, max_size=6))
def test_a_page_has_the_new_fields_of_its_items_in_their_order(
    records: list[dict[str, Any]],
) -> None:
    page = [json.dumps(record).encode() for record in records]
    alone, together = (Normalizer(STREAMS["services"], Rules({}, {}), PLACES) for _ in range(2))

    one_by_one = [told for raw in page for told in normalize_items([raw], alone).noticed]

    assert normalize_items(page, together).noticed == one_by_one


PERSONAL = ("contact_name", "contact_email", "contact_phone", "notes")
CANARY = "Canary-7f3a"


@given(record=RECORDS, wrapped=st.sampled_from([CANARY, [CANARY], {"x": CANARY}]))
def test_no_refusal_shows_personal_data(record: dict[str, Any], wrapped: Any) -> None:
    least = {"appointment_id": "a_1", "appointment_time": "2026-01-01T00:00:00Z"}
    raw = json.dumps(record | least | dict.fromkeys(PERSONAL, wrapped)).encode()

    found = normalized("appointments", raw)

    assert not isinstance(found, RecordInvalid) or CANARY not in found.message
