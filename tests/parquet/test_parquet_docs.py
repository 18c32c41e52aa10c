"""The user's page names every setting, and its examples work as they stand."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from zimun_connectors.parquet import ParquetSettings, connector
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.parquet.conftest import Desk

_PAGE = (Path(__file__).parents[2] / "docs" / "connectors" / "parquet.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _PAGE, re.DOTALL)


def test_every_setting_is_on_the_page_and_described() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", _PAGE, re.MULTILINE))
    assert ParquetSettings.model_fields.keys() - {"type"} <= listed
    assert all(field.description for field in ParquetSettings.model_fields.values())


@pytest.fixture
def example(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    """The sink of the page's configuration, with a booking, in the current folder."""
    (text,) = _blocks("yaml")
    (settings,) = yaml.safe_load(text)["sinks"].values()
    sink = connector.build(ParquetSettings.model_validate(settings), desk.folder)
    sink.open(desk.context())
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    monkeypatch.chdir(desk.folder)


def test_the_python_examples_work(example: None) -> None:
    pandas, *others = _blocks("python")
    names: dict[str, Any] = {}
    exec(compile(pandas, "parquet.md", "exec"), names)
    assert list(names["appointments"]["appointment_id"]) == ["a_1"]
    assert names["services"].empty
    for other in others:  # libraries that are no part of this project's environment
        compile(other, "parquet.md", "exec")


def test_the_sql_example_works(example: None) -> None:
    (script,) = _blocks("sql")
    with duckdb.connect() as db:
        ((month, bookings, _),) = db.execute(script).fetchall()
    assert (month, bookings) == ("2026-11", 1)
