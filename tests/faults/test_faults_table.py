"""The tables of docs/reliability.md name tests that there are, and every test of the matrix."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.faults.circumstances import BOUNDARIES

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs/reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))
ROW = re.compile(r"^\| (?!fault \||-|of a|of p|\|).+ \| .+ \| (.+) \|$", re.MULTILINE)


@cache
def named_tests(file: Path) -> frozenset[str]:
    found = ast.parse(file.read_text(encoding="utf-8")).body
    names = [each.name for each in found if isinstance(each, ast.FunctionDef)]
    return frozenset(name for name in names if name.startswith("test_"))


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_every_test_that_is_named_exists(file: str) -> None:
    assert {name for found, name in NAMED if found == file} <= named_tests(TESTS / file)


def test_every_test_of_the_matrix_is_named() -> None:
    here = Path(__file__)
    files = set(here.parent.glob("test_*.py")) - {here}
    matrix = {(f"faults/{file.name}", name) for file in files for name in named_tests(file)}
    assert len(matrix) > 15
    assert matrix <= set(NAMED)


def test_every_row_names_a_test() -> None:
    shown = ROW.findall(PAGE)
    assert len(shown) > 40
    assert all("::test_" in each for each in shown)


def test_every_step_that_a_process_is_killed_at_is_told() -> None:
    listed = re.findall(r"^\| of a? ?\w+ \| (.+) \|$", PAGE, re.MULTILINE)
    assert {step for line in listed for step in line.split(" · ")} == {*BOUNDARIES}
