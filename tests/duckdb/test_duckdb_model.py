"""The model's views in the file that analysts open."""

import re
import shutil
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from zimun_sync.marts import Model, models
from zimun_sync.model import STREAMS
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from pathlib import Path

    from tests.duckdb.conftest import Bench

MODELS = {model.name: model for model in models()}
LIST_VIEWS = """
    SELECT view_name FROM duckdb_views()
    WHERE database_name = 'zimun' AND schema_name = 'main' AND NOT internal
"""


@pytest.fixture(autouse=True)
def _with_views(bench: "Bench") -> None:
    bench.model = True


def _views(bench: "Bench") -> set[str]:
    return {name for (name,) in bench.query(LIST_VIEWS)}


def test_they_can_be_left_out_and_come_back_with_the_setting(bench: "Bench") -> None:
    tables = {*STREAMS, "freshness"}
    for wanted, names in ((False, tables), (True, tables | MODELS.keys()), (False, tables)):
        bench.opened(model=wanted).close()
        assert _views(bench) == names


def test_they_are_made_anew_by_another_release_and_only_then(
    bench: "Bench", monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for release in ("1.0.0", "1.0.0", "1.0.1"):
        monkeypatch.setattr(sys.modules["zimun_sync.marts.render"], "__version__", release)
        bench.opened().close()
        made.append(bench.views.stat().st_ino)
    assert made[0] == made[1] != made[2]


def test_they_answer_under_whatever_name_the_file_is_attached(bench: "Bench") -> None:
    bench.opened().write(make_batch(upsert(1, "a_1"), upsert(2, "a_2")))
    with duckdb.connect() as reader:
        reader.execute(f"ATTACH '{bench.views}' AS bookings (READ_ONLY)")
        for name in MODELS:
            reader.execute(f"FROM bookings.{name}").fetchall()
        answer = reader.execute("SELECT sum(bookings) FROM bookings.metrics_daily").fetchall()
    assert answer == [(2,)]


def test_they_show_each_change_when_it_is_written(bench: "Bench") -> None:
    sink = bench.opened()
    question = "SELECT bookings, cancellations FROM metrics_daily"
    sink.write(make_batch(upsert(1, "a_1"), upsert(2, "a_2")))
    assert bench.query(question) == [(2, 0)]
    sink.write(make_batch(upsert(3, "a_2", status="cancelled")))
    assert bench.query(question) == [(1, 1)]


def _read(model: Model) -> list[str]:
    """The streams that a view reads, each as often as it is named on the way."""
    return [*model.streams, *(stream for name in model.models for stream in _read(MODELS[name]))]


@pytest.mark.parametrize("name", MODELS)
def test_a_view_opens_the_files_of_each_stream_once(bench: "Bench", name: str) -> None:
    bench.opened().write(make_batch(upsert(1, "a_1")))
    plan = "\n".join(row[1] for row in bench.query(f"EXPLAIN SELECT * FROM {name}"))
    streams = _read(MODELS[name])
    assert len(streams) == len(set(streams))
    # The snapshot and the delta: the same file read for two purposes could change in between.
    assert len(re.findall("Function: READ_DUCKDB", plan)) == 2 * len(streams)


@pytest.mark.parametrize(
    "columns", ["local_date", "local_hour, price_amount", "service_id, status"]
)
def test_a_simple_question_pays_for_no_window(bench: "Bench", columns: str) -> None:
    bench.opened().write(make_batch(upsert(1, "a_1")))
    query = f"SELECT {columns}, count(*) FROM fact_appointments GROUP BY ALL"
    plan = "\n".join(row[1] for row in bench.query(f"EXPLAIN {query}"))
    assert "Window" not in plan
    plan = "\n".join(row[1] for row in bench.query("EXPLAIN FROM fact_appointments"))
    assert "Window" in plan


@pytest.mark.parametrize(
    "name", [name for name in MODELS if "appointment_versions" in _read(MODELS[name])]
)
def test_appointments_are_opened_before_their_versions(bench: "Bench", name: str) -> None:
    bench.opened().close()
    for file in (bench.data / "snapshot.duckdb", bench.data / "delta.duckdb"):
        _without(file, "appointments", "appointment_versions")
    with pytest.raises(duckdb.BinderException, match='table_name="appointments"'):
        bench.query(f"FROM {name}")


def _without(file: "Path", *tables: str) -> None:
    """Take tables out of a published file."""
    changed = file.with_suffix(".changed")
    shutil.copy(file, changed)
    with duckdb.connect(changed) as connection:
        for table in tables:
            connection.execute(f"DROP TABLE {table}")
    changed.replace(file)
