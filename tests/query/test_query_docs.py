"""`docs/analysts.md`: every command and every example answers as it stands there."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import Project
from tests.query.conftest import Cli

PAGE = (Path(__file__).parents[2] / "docs/analysts.md").read_text(encoding="utf-8")
COMMANDS = re.findall(
    r'^zimun-sync query "([^"]*)"(.*)$', "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)),
    re.MULTILINE,
)  # fmt: skip


def test_the_page_has_examples() -> None:
    assert len(COMMANDS) == PAGE.count('zimun-sync query "') == 5


@pytest.mark.parametrize("number", range(5))
def test_a_command_answers(ask: Cli, filled: Project, number: int) -> None:
    sql, options = COMMANDS[number]
    ended = ask("query", sql, *options.split())
    assert ended.code == 0, ended.err
    assert ended.out or (filled.folder / "bookings.csv").stat().st_size > 0


def test_the_examples_in_python_answer(ask: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(example, "docs/analysts.md", "exec"), names)
    names["db"].close()
    assert "bookings" in capsys.readouterr().out
    assert str(names["frame"].dtypes["price_amount"]) == "decimal128(18, 4)[pyarrow]"
    assert names["monthly"].sum() == len(names["frame"])
