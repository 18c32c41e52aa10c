"""Promoted fields: rows as they are stored, restated and given to sinks; fields noticed."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import APPOINTMENTS, SERVICES, ColumnType, Row, Stream, to_python
from zimun_sync.normalize import (
    Normalizer,
    Noticed,
    Places,
    Promotion,
    Rules,
    normalize_items,
    pack_row,
    unpack_row,
)
from zimun_sync.normalize.noticing import MOST_FIELDS
from zimun_sync.normalize.process import NormalizerProcess, Setup
from zimun_sync.normalize.promotions import Promoter, restated
from zimun_sync.promoting import filled, promoted_column
from zimun_sync.sinks import Batch, StoredChange

NAMES = ("size", "channel", "born")
TYPES = [kind for kind in ColumnType if kind is not ColumnType.LOCAL_TIME]


def normalizer(**columns: ColumnType) -> Normalizer:
    promotions = {name: Promotion(name, kind) for name, kind in columns.items()}
    return Normalizer(SERVICES, Rules({}, {}, None, {"services": promotions}), Places())


def service(**fields: Any) -> bytes:
    return json.dumps({"service_id": "s_1", "name": "Cut"} | fields).encode()


def promoting(**columns: ColumnType) -> Stream:
    made = (promoted_column(name, kind, [name]) for name, kind in columns.items())
    return replace(SERVICES, promoted=tuple(made))


def shown(stream: Stream, row: Row) -> dict[str, Any]:
    """A row as sinks get it, by column."""
    names = (column.name for column in stream.filled)
    return dict(zip(names, filled(stream, row), strict=True))


def test_a_row_without_promoted_values_is_byte_for_byte_what_it_was() -> None:
    plain, with_rules = normalizer(), normalizer(size=ColumnType.INTEGER)
    for raw in (service(), service(size=None), service(other="x")):
        before, after = plain.normalize(raw), with_rules.normalize(raw)
        same = before.row == after.row
        assert same or b"size" in raw  # null stays null, and no longer in `extra`
    assert unpack_row(with_rules.normalize(service(size=None)).row) == unpack_row(
        plain.normalize(service()).row
    )


def test_a_promoted_value_leaves_extra() -> None:
    row = unpack_row(normalizer(size=ColumnType.INTEGER).normalize(service(size=4, other="x")).row)
    found = shown(promoting(size=ColumnType.INTEGER), row)
    assert (found["size"], found["extra"]) == (4, '{"other":"x"}')


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnType.TEXT, 4),
        (ColumnType.INTEGER, "4"),
        (ColumnType.INTEGER, 4.5),
        (ColumnType.INTEGER, True),
        (ColumnType.DECIMAL, "many"),
        (ColumnType.DECIMAL, 1.23456),
        (ColumnType.BOOLEAN, 1),
        (ColumnType.INSTANT, "2026-11-20T09:00:00"),
        (ColumnType.INSTANT, 1_790_000_000),
        (ColumnType.DATE, "2026-11-20T09:00:00Z"),
        (ColumnType.DATE, "20261120"),
        (ColumnType.DATE, "2026-02-30"),
    ],
)
def test_a_value_of_another_type_is_refused(kind: ColumnType, value: Any) -> None:
    with pytest.raises(RecordInvalid) as refused:
        normalizer(size=kind).normalize(service(size=value))
    assert "'size'" in refused.value.message
    assert refused.value.code in {
        "wrong-type",
        "bad-decimal",
        "out-of-range",
        "naive-time",
        "bad-date",
    }


def test_values_of_a_former_type_are_never_shown_as_the_present_one() -> None:
    row = unpack_row(normalizer(size=ColumnType.INTEGER).normalize(service(size=4)).row)
    for kind in TYPES:
        wanted = 4 if kind is ColumnType.INTEGER else None
        assert shown(promoting(size=kind), row)["size"] == wanted


def test_the_same_rules_in_another_order_make_the_same_row() -> None:
    raw = service(size=4, channel="web")
    one = normalizer(size=ColumnType.INTEGER, channel=ColumnType.TEXT).normalize(raw)
    other = normalizer(channel=ColumnType.TEXT, size=ColumnType.INTEGER).normalize(raw)
    assert one == other


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.decimals(-999, 999, places=2).map(float),
    st.text(max_size=5),
    st.sampled_from(["2026-11-20", "2026-11-20T08:00:00+00:00"]),
    st.lists(st.integers(0, 9), max_size=2),
)
COLUMNS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(TYPES))


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), COLUMNS, COLUMNS, COLUMNS)
def test_a_row_restated_is_the_row_that_its_content_would_make(
    fields: dict[str, Any],
    first: dict[str, ColumnType],
    second: dict[str, ColumnType],
    last: dict[str, ColumnType],
) -> None:
    """Whatever was promoted before; where the last rules can read the record at all."""
    raw = service(**{name: value for name, value in fields.items() if value is not None})
    try:
        row, wanted = (unpack_row(normalizer(**each).normalize(raw).row) for each in (first, last))
    except RecordInvalid:
        return
    for columns in (second, last):
        promotions = {name: Promotion(name, kind) for name, kind in columns.items()}
        row = unpack_row(pack_row(restated(SERVICES, row, Promoter(promotions))))
    stream = promoting(**last)
    assert meaning(stream, row) == meaning(stream, wanted)


def meaning(stream: Stream, row: Row) -> dict[str, Any]:
    """A row's values, where 3 and 3.0 are one, for a column in between may have made them so."""
    kinds = {column.name: column.type for column in stream.filled}
    found = shown(stream, row).items()
    values = {name: to_python(value, kinds[name]) for name, value in found}
    documents = {name for name, kind in kinds.items() if kind is ColumnType.JSON}
    return values | {name: json.loads(values[name] or "null") for name in documents}


def test_a_batch_brings_rows_to_the_streams_columns() -> None:
    row = unpack_row(normalizer(size=ColumnType.INTEGER).normalize(service(size=4)).row)
    stored = [
        StoredChange(1, "s_1", row, "0" * 32, "run", 0),
        StoredChange(2, "x", None, "", "r", 0),
    ]
    hashes = set()
    for kind in (ColumnType.INTEGER, ColumnType.TEXT, None):
        stream = promoting(size=kind) if kind else SERVICES
        batch = Batch("main", stream, stored)
        [change, gone] = batch.changes
        assert change.row is not None
        assert set(change.row) == {column.name for column in stream.columns}
        assert gone.row is None
        hashes.add(change.hash)
        assert replace(batch, stored=batch.stored).stored == batch.stored
    assert len(hashes) == 2  # as text it shows no value, as without the column


def test_a_row_without_promoted_values_keeps_its_hash() -> None:
    row = unpack_row(normalizer().normalize(service()).row)
    stored = [StoredChange(1, "s_1", row, "0" * 32, "run", 0)]
    [change] = Batch("main", promoting(size=ColumnType.INTEGER), stored).changes
    assert change.hash == "0" * 32
    assert change.row is not None
    assert change.row["size"] is None


def noticed(*raws: bytes, by: Normalizer | None = None) -> list[tuple[str, str, str]]:
    found = normalize_items(raws, by or normalizer()).noticed
    return [(each.field, each.json_type, each.suggested.value) for each in found]


def test_a_field_is_noticed_once_for_each_type_of_its_values() -> None:
    each = normalizer()
    first = service(vat=None, tags=["a"], site={"a": 1}, at="2026-11-20T09:00:00Z", on="2026-11-20")
    assert noticed(first, service(vat=19), service(vat=7), by=each) == [
        ("tags", "array", "json"),
        ("site", "object", "json"),
        ("at", "string", "instant"),
        ("on", "string", "date"),
        ("vat", "integer", "integer"),
    ]
    assert noticed(first, service(vat=19.5), service(vat="x", new=True), by=each) == [
        ("vat", "number", "decimal"),
        ("vat", "string", "text"),
        ("new", "boolean", "boolean"),
    ]


def test_a_promoted_field_is_known() -> None:
    assert noticed(service(size=4), by=normalizer(size=ColumnType.INTEGER)) == []


def test_what_is_left_of_the_price_is_no_field() -> None:
    raw = json.dumps({"service_id": "s", "price": {"amount": 1, "currency": "EUR", "vat": 1}})
    assert noticed(raw.encode()) == []


def test_names_made_up_one_a_record_are_noticed_only_so_far() -> None:
    raws = [service(**{f"key_{number}": 1}) for number in range(MOST_FIELDS + 50)]
    assert len(noticed(*raws)) <= MOST_FIELDS
    assert noticed(service(**{"a\0b": 1, "": 1, "x" * 300: 1})) == []


def test_a_process_of_its_own_notices_too() -> None:
    promote = {"appointments": {"n": Promotion("n", ColumnType.INTEGER)}}
    raw = json.dumps(
        {"appointment_id": "a", "appointment_time": "2026-12-01T09:00:00Z", "n": 3, "rsvp": "yes"}
    ).encode()
    with NormalizerProcess(
        Setup("appointments", Rules({}, {}, None, promote), Places())
    ) as process:
        items = process.normalize([raw])
        assert items.noticed == [Noticed("rsvp", "string", ColumnType.TEXT)]
        assert process.normalize([raw]).noticed == []
    stream = replace(APPOINTMENTS, promoted=(promoted_column("n", ColumnType.INTEGER, ["n"]),))
    assert shown(stream, unpack_row(items.records[0].row))["n"] == 3
