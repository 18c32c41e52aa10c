"""Canonical lines: nothing is lost in them, and they read as they were written."""

import csv
import io
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zimun_connectors.csv.canonical import spell
from zimun_connectors.csv.format import CANONICAL
from zimun_connectors.csv.guarding import guard, quote
from zimun_connectors.csv.respelling import parse, respelled
from zimun_connectors.csv.zones import Zones
from zimun_sync.model import Column, ColumnType

_CHARACTERS = st.characters(exclude_categories=["Cs"])
_SOME = st.sampled_from("=+-@'\"\t\r\n ,;:019a\u3000\uff1d")
_TEXTS = st.text(_CHARACTERS, max_size=8) | st.text(_SOME, max_size=6) | st.just("+436601234567")
_MICROS = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)

#: What the store may hold in a column of each type.
_VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.TEXT: _TEXTS,
    ColumnType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    ColumnType.BOOLEAN: st.booleans(),
    ColumnType.DECIMAL: st.decimals(-(10**9), 10**9, places=2).map(lambda d: format(d, "f")),
    ColumnType.INSTANT: _MICROS | _MICROS.map(lambda us: us // 1000 * 1000),
    ColumnType.LOCAL_TIME: _MICROS.map(lambda us: us // 10**6 * 10**6) | _MICROS,
    ColumnType.DATE: st.integers(-719_162, 2_932_896),
    ColumnType.JSON: st.lists(_TEXTS).map(lambda texts: msgspec.json.encode(texts).decode()),
}
_COLUMNS = [Column(kind, kind, "") for kind in ColumnType]
_ROWS = st.lists(
    st.tuples(*(st.none() | _VALUES[c.type] for c in _COLUMNS)), min_size=1, max_size=6
)


def _spelled(kind: ColumnType, *values: object) -> list[str]:
    """Cells of that type as they stand in lines."""
    return [line.decode().removesuffix("\r\n") for line in spell([Column("c", kind, "")], [values])]


def test_every_type_is_tried() -> None:
    assert _VALUES.keys() == set(ColumnType)


@given(_ROWS)
def test_lines_that_are_read_and_spelled_again_are_the_same(rows: list[tuple[Any, ...]]) -> None:
    lines = spell(_COLUMNS, list(zip(*rows, strict=True)))
    again = respelled(lines, _COLUMNS, CANONICAL, Zones())
    assert b"".join(again) == b"".join(lines)


@given(_ROWS)
def test_texts_and_numbers_come_back(rows: list[tuple[Any, ...]]) -> None:
    lines = spell(_COLUMNS, list(zip(*rows, strict=True)))
    table = pa.Table.from_batches(parse(io.BytesIO(b"".join(lines)), _COLUMNS, 0))
    for kind in (ColumnType.TEXT, ColumnType.JSON, ColumnType.DECIMAL, ColumnType.INTEGER):
        number = list(ColumnType).index(kind)
        assert table.column(kind).to_pylist() == [row[number] for row in rows]


@given(st.lists(_TEXTS, min_size=1, max_size=4))
def test_any_reader_of_csv_finds_as_many_cells(texts: list[str]) -> None:
    columns = [Column(str(number), ColumnType.TEXT, "") for number in range(len(texts))]
    (line,) = spell(columns, [[text] for text in texts])
    (row,) = csv.reader(io.StringIO(line.decode(), newline=""), strict=True)
    assert all(cell in {text, f"'{text}"} for cell, text in zip(row, texts, strict=True))


@given(st.lists(_TEXTS, min_size=1, max_size=4))
@example(["+1234567\x00*cmd|'/C calc'!A0"])
@example(["a\x00", "b"])
def test_a_cell_does_not_depend_on_those_beside_it(texts: list[str]) -> None:
    cells = [quote(guard(text), ",").encode() for text in texts]
    lines = spell([Column("c", ColumnType.TEXT, "")], [texts])
    assert lines == [cell + b"\r\n" for cell in cells]


@pytest.mark.parametrize("shift", [0, 1])
def test_no_line_break_is_lost_where_a_block_ends(shift: int) -> None:
    columns = [Column("c", ColumnType.TEXT, "")]
    lines = spell(columns, [["x" * shift, *["\r\n" * 3_000] * 400]])
    assert b"".join(respelled(lines, columns, CANONICAL, Zones())) == b"".join(lines)


def test_null_is_no_empty_text() -> None:
    assert _spelled(ColumnType.TEXT, "", None, "x") == ['""', "", "x"]
    assert _spelled(ColumnType.TEXT, None, None) == ["", ""]


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        (ColumnType.DECIMAL, "49.50", "49.50"),
        (ColumnType.DECIMAL, "1E+3", "1000"),
        (ColumnType.DECIMAL, "-1.5e-3", "-0.0015"),
        (ColumnType.JSON, '{ "a": [1, 2.50] }', '"{""a"":[1,2.50]}"'),
        (ColumnType.JSON, '["a, b: c"]', '"[""a, b: c""]"'),
        (ColumnType.BOOLEAN, True, "true"),
        (ColumnType.DATE, -1, "1969-12-31"),
        (ColumnType.INSTANT, 0, "1970-01-01T00:00:00Z"),
        (ColumnType.INSTANT, -1, "1969-12-31T23:59:59.999999Z"),
        (ColumnType.INSTANT, 1_500_000, "1970-01-01T00:00:01.500000Z"),
        (ColumnType.LOCAL_TIME, 1_500_000, "1970-01-01T00:00:01.500000"),
        (ColumnType.TEXT, "=1+1", "'=1+1"),
        (ColumnType.TEXT, "=1,1", '"\'=1,1"'),
    ],
)
def test_spelling(kind: ColumnType, value: object, cell: str) -> None:
    assert _spelled(kind, value, None) == [cell, ""]
