"""The user's page says what is so."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from zimun_connectors.warehouse import WarehouseSettings, connector
from zimun_sync.model import STREAMS
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.warehouse.conftest import Bench

_ROOT = Path(__file__).parents[2]
PAGE = (_ROOT / "docs" / "connectors" / "warehouse.md").read_text()


def _examples() -> dict[str, dict[str, Any]]:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    sinks: dict[str, dict[str, Any]] = yaml.safe_load(text)["sinks"]
    return sinks


def test_the_example_of_a_lake_can_be_read_as_the_page_says(
    bench: "Bench", monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = connector.build(WarehouseSettings.model_validate(_examples()["lake"]), bench.folder)
    bench.sinks.append(sink)
    sink.open(bench.context())
    sink.write(make_batch(upsert(1, "a_1")))
    monkeypatch.chdir(bench.folder)
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(script, "warehouse.md", "exec"), names)
    assert list(names["appointments"]["appointment_id"]) == ["a_1"]


def test_the_other_example_is_a_valid_section() -> None:
    settings = WarehouseSettings.model_validate(_examples()["bigquery"])
    assert settings.place == "bigquery, dataset zimun"


def test_every_setting_has_a_line_with_its_default() -> None:
    section = PAGE.partition("## Settings")[2].partition("\n## ")[0]
    described = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", section, re.MULTILINE))
    fields = WarehouseSettings.model_fields
    assert described.keys() == fields.keys() - {"type"}
    for name in ("dataset", "min_interval"):
        assert described[name] == f"`{fields[name].default}`"


def test_every_stream_is_named() -> None:
    assert all(f"`{name}`" in PAGE for name in STREAMS)


def test_every_code_of_a_rejection_is_explained() -> None:
    folder = _ROOT / "connectors" / "zimun_connectors" / "warehouse"
    codes = set(re.findall(r'Rejection\([^)]*?"([a-z]+-[a-z]+)"', (folder / "rows.py").read_text()))
    section = PAGE.partition("## What cannot be stored")[2].partition("\n## ")[0]
    assert len(codes) == 2
    assert set(re.findall(r"^\| `([a-z-]+)`", section, re.MULTILINE)) == codes
