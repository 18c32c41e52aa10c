"""What PostgreSQL cannot hold is rejected row by row; everything else is written."""

import random
import string
from typing import TYPE_CHECKING, Any

import pytest

from zimun_sync.model import APPOINTMENTS, Row
from zimun_sync.testing import appointment_row, delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.postgres.conftest import Bench

PLACES = {column.name: index for index, column in enumerate(APPOINTMENTS.content)}
CONTENT = "SELECT appointment_id, notes FROM {0}.appointments ORDER BY 1"


def _row(key: str, **stored: Any) -> Row:
    """An appointment's row with those values as a store holds them."""
    row = list(appointment_row(key, contact_name="Zoë Secret"))
    for name, value in stored.items():
        row[PLACES[name]] = value
    return tuple(row)


#: Column, value as stored, code; the server finds the last ones out.
UNSTORABLE = [
    ("notes", "a\0b", "nul-character"),
    ("notes", "half \ud83d", "lone-surrogate"),
    ("extra", '{"a":"\\u0000"}', "nul-character"),
    ("extra", '{"a":"\\\\\\u0000"}', "nul-character"),
    ("extra", '{"a\0":1}', "nul-character"),
    ("extra", '{"a":"\\ud83d"}', "lone-surrogate"),
    ("extra", '{"a":"\\uDE00"}', "lone-surrogate"),
    ("extra", '{"a":"\\ud83d\\ud83d\\ude00"}', "lone-surrogate"),
    ("price_amount", "100000000000000", "out-of-range"),
    ("price_amount", "1.00005", "out-of-range"),
    ("price_amount", "1e40", "out-of-range"),
    ("price_amount", "NaN", "out-of-range"),
    ("price_amount", "Infinity", "out-of-range"),
    ("duration_minutes", 2**63, "out-of-range"),
    ("starts_at", 10**18, "out-of-range"),
    ("local_start", -(10**18), "out-of-range"),
    ("local_date", 10**7, "out-of-range"),
    ("extra", '{"a":1e400000}', "out-of-range"),
    ("extra", '{"a":NaN}', "invalid-json"),
    ("extra", "[" * 20_000 + "]" * 20_000, "too-large"),
]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    UNSTORABLE,
    ids=[f"{c}-{n}" for n, (c, _, _) in enumerate(UNSTORABLE)],
)
def test_one_bad_value_costs_one_row(bench: "Bench", column: str, value: Any, code: str) -> None:
    sink = bench.opened()
    changes = [upsert(seq, f"a_{seq}", notes=str(seq)) for seq in range(1, 8)]
    changes[4] = upsert(5, "a_5", _row("a_5", **{column: value}))
    batch = make_batch(*changes, delete(8, "gone"))
    result = sink.write(batch)
    assert (result.applied, result.unchanged) == (6, 1)
    (rejection,) = result.rejected
    assert (rejection.key, rejection.code) == ("a_5", code)
    assert rejection.message.endswith(".")
    assert "Zoë" not in rejection.message
    assert str(value) not in rejection.message
    assert [key for key, _ in bench.admin(CONTENT)] == [f"a_{n}" for n in (1, 2, 3, 4, 6, 7)]
    again = sink.write(batch)
    assert (again.applied, again.unchanged, len(again.rejected)) == (0, 7, 1)


def test_a_key_too_long_for_an_index_is_rejected(bench: "Bench") -> None:
    letters = random.Random(7).choices(string.printable, k=9_000)
    key = "".join(letters)
    result = bench.opened().write(make_batch(upsert(1, key), upsert(2, "a_2")))
    assert [(found.key, found.code) for found in result.rejected] == [(key, "too-large")]
    assert bench.admin(CONTENT) == [("a_2", None)]


def test_several_bad_rows_of_each_kind_are_told_apart(bench: "Bench") -> None:
    values = {3: "[NaN]", 4: "[1e400000]", 11: '["\\u0000"]', 20: "[NaN]"}
    changes = [
        upsert(seq, f"a_{seq}", _row(f"a_{seq}", extra=values.get(seq, "{}")))
        for seq in range(1, 22)
    ]
    result = bench.opened().write(make_batch(*changes))
    assert {found.key: found.code for found in result.rejected} == {
        "a_3": "invalid-json",
        "a_4": "out-of-range",
        "a_11": "nul-character",
        "a_20": "invalid-json",
    }
    assert result.applied == 17


def test_a_rule_of_the_administrators_rejects_what_it_forbids(bench: "Bench") -> None:
    sink = bench.opened()
    bench.admin(
        "ALTER TABLE {0}.appointments ADD CONSTRAINT priced CHECK (price_amount IS NOT NULL)"
    )
    free = upsert(2, "a_2", price_amount=None)
    result = sink.write(make_batch(upsert(1, "a_1"), free, upsert(3, "a_3")))
    assert [(found.key, found.code) for found in result.rejected] == [("a_2", "constraint")]
    assert "priced" in result.rejected[0].message


def test_a_batch_of_nothing_but_bad_rows_still_counts_as_done(bench: "Bench") -> None:
    result = bench.opened().write(make_batch(upsert(1, "a_1", notes="\0"), upsert(2, "\0")))
    assert (result.applied, len(result.rejected)) == (0, 2)
    assert bench.admin("SELECT source, stream, seq FROM {0}._zimun_position") == [
        ("main", "appointments", 2)
    ]


def test_a_deletion_of_a_key_that_was_never_storable_is_rejected(bench: "Bench") -> None:
    result = bench.opened().write(make_batch(delete(1, "a\0")))
    assert [(found.key, found.code) for found in result.rejected] == [("a\0", "nul-character")]
    assert "appointment_id" in result.rejected[0].message


@pytest.mark.parametrize(
    "text", ['"\\ud83d\\ude00"', '"\\\\u0000"', '"\\\\ud83d"', '"\\u00e9\\n\\"\\uD83D\\uDE00"']
)
def test_json_that_only_looks_odd_is_written(bench: "Bench", text: str) -> None:
    result = bench.opened().write(make_batch(upsert(1, "a_1", _row("a_1", extra=text))))
    assert (result.applied, result.rejected) == (1, ())


def test_an_equal_row_is_not_written_again(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1"), upsert(2, "a_2")))
    version = "SELECT appointment_id, xmin::text, _seq FROM {0}.appointments ORDER BY 1"
    before = bench.admin(version)
    result = sink.write(make_batch(upsert(3, "a_1"), upsert(4, "a_2", notes="new")))
    assert (result.applied, result.unchanged) == (1, 1)
    after = bench.admin(version)
    assert after[0] == before[0]
    assert after[1] != before[1]
