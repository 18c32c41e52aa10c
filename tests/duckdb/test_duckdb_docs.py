"""The user's page says what is so."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.duckdb import DuckdbSettings
from zimun_sync.model import STREAMS
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

PAGE = (Path(__file__).parents[2] / "docs" / "connectors" / "duckdb.md").read_text()


def test_the_example_in_python_answers(
    bench: "Bench", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.opened().write(make_batch(upsert(1, "a_1"), upsert(2, "a_2")))
    (bench.folder / "var").symlink_to(bench.folder)
    monkeypatch.chdir(bench.folder)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/connectors/duckdb.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "2026-11-20" in shown
    assert "99.0000" in shown


def test_every_setting_has_a_line_with_its_default() -> None:
    section = PAGE.partition("## Settings")[2].partition("\n## ")[0]
    described = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", section, re.MULTILINE))
    settings = DuckdbSettings.model_fields.keys() - {"type", "publish"}
    assert described.keys() == settings | {f"publish.{key}" for key in PublishSettings.model_fields}
    for name in ("memory_limit", "threads"):
        assert described[name] == f"`{DuckdbSettings.model_fields[name].default}`"


def test_every_stream_is_named() -> None:
    assert all(f"`{name}`" in PAGE for name in STREAMS)
