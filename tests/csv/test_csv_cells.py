"""Cells: whatever the text, a reader gets it back, and no spreadsheet runs it."""

import csv
import io
import re
import sys
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zimun_connectors.csv import cells, guarding
from zimun_connectors.csv.cells import unguard
from zimun_connectors.csv.format import Format
from zimun_connectors.csv.guarding import SKIPPED, TRIGGERS
from zimun_sync.model import Column, ColumnType

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_RISKY = st.text(st.sampled_from("=+-@'\t\r\n 019a\u3000\uff1d\uff0b"), max_size=8)
_IS_SKIPPED = re.compile(f"[{SKIPPED}]")
_IS_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def _guard(text: str) -> str:
    guarded = guarding.guard(text)
    assert cells.guard(pa.array([text])).to_pylist() == [guarded]
    return guarded


def _quote(text: str, delimiter: str) -> str:
    quoted = guarding.quote(text, delimiter)
    assert cells.quote(pa.array([text]), delimiter).to_pylist() == [quoted]
    return quoted


def _runs(text: str) -> bool:
    """Whether some spreadsheet may take the text for a formula; written without the pattern."""
    folded = unicodedata.normalize("NFKC", text.lstrip(" \t\r\n\f\v\x00\u3000\ufeff\u200b\xa0"))
    return folded[:1] in set("=+-@") or text[:1] in set("\t\r\n")


@given(st.lists(_TEXTS | _RISKY, max_size=5))
def test_taking_one_apostrophe_away_gives_the_text_back(texts: list[str]) -> None:
    assert unguard(pa.array(map(_guard, texts), pa.string())).to_pylist() == texts


@given(_TEXTS | _RISKY)
@example("=1+1")
@example("  @SUM(A1)")
@example("\u3000\uff1dcmd")
@example("\tx")
@example("\ufeff-2+3")
def test_what_a_spreadsheet_may_run_gets_an_apostrophe(text: str) -> None:
    guarded = _guard(text)
    assert guarded in {text, f"'{text}"}
    if _runs(text) and not _IS_PHONE.fullmatch(text):
        assert guarded == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "Zoë", "李小龍", "a=b", "12", "x-y", "(+1)", "#tag", "+436601234567", "…and so on"]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert _guard(text) == text


@pytest.mark.parametrize(
    "text", ["+49 (0)30=1", "+0123456", "+12345", "+1234567890123456", "+4930+1"]
)
def test_only_a_plain_international_number_passes_for_a_phone(text: str) -> None:
    assert _guard(text) == f"'{text}"


def test_every_character_that_folds_to_a_trigger_is_one() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    folding = {c for c in every if unicodedata.normalize("NFKC", c)[:1] in set("=+-@")}
    assert folding == set(TRIGGERS)


def test_every_space_and_control_character_counts_as_skipped() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    blank = {c for c in every if unicodedata.category(c) in {"Zs", "Zl", "Zp", "Cc"}}
    assert [c for c in blank if not _IS_SKIPPED.match(c)] == []


@given(st.lists(_TEXTS, min_size=1, max_size=5), st.sampled_from(",;|\t"))
def test_quoted_cells_read_back(texts: list[str], delimiter: str) -> None:
    line = delimiter.join(_quote(text, delimiter) for text in texts)
    (row,) = csv.reader(io.StringIO(f"{line}\r\n", newline=""), delimiter=delimiter, strict=True)
    assert row == texts


def test_null_is_no_empty_text() -> None:
    assert cells.quote(pa.array(["", None, "x"]), ",").to_pylist() == ['""', None, "x"]


@pytest.mark.parametrize(
    ("micros", "shown"),
    [(0, "1970-01-01 00:00:00"), (-1, "1969-12-31 23:59:59"), (1_500_000, "1970-01-01 00:00:01")],
)
def test_excel_is_shown_whole_seconds(micros: int, shown: str) -> None:
    column = Column("t", ColumnType.INSTANT, "")
    values = pa.array([micros, None]).cast(pa.timestamp("us"))
    assert cells.cells(column, values, Format(wall_clock=True)).to_pylist() == [shown, None]
