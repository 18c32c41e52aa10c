"""Forgetting: files are made afresh, under readers, and after a kill at any step."""

import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.thorough import times
from zimun_sync.sinks import Forgotten
from zimun_sync.testing import delete, files_with, make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

SCRIPT = Path(__file__).with_name("doomed_forgetting.py")
SECRET = "~QxZvWk7"
CONTENT = "SELECT appointment_id, notes FROM appointments ORDER BY ALL"

#: About as many as forgetting takes; the last writers live to its end.
LONGEST = 70


@pytest.fixture(scope="module")
def doomed() -> dict[str, Any]:
    """The names of the script that forgets."""
    return runpy.run_path(str(SCRIPT))


def _written(sink: Any, key: str) -> None:
    """Former states of that record among others, then one without personal values."""
    sink.write(make_batch(*(upsert(n, f"b_{n}", notes=f"other {n}") for n in range(1, 41))))
    sink.write(make_batch(upsert(41, key, notes=SECRET, contact_name=SECRET)))
    sink.write(make_batch(upsert(42, key, notes=f"{SECRET} again", contact_name=SECRET)))
    sink.write(make_batch(upsert(43, key, notes=None, contact_name=None)))


@pytest.mark.parametrize("step", range(3, LONGEST, times(22, 1)))
def test_killed_at_a_step(bench: "Bench", doomed: dict[str, Any], step: int) -> None:
    sink = doomed["make_sink"](bench.folder)
    bench.sinks.append(sink)
    sink.open(doomed["context"]())
    _written(sink, doomed["KEY"])
    sink.close()
    before = bench.query(CONTENT)

    command = [sys.executable, str(SCRIPT), str(bench.folder), str(step)]
    died = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    assert died.returncode in (-signal.SIGKILL, 0)
    assert bench.query(CONTENT) == before

    sink.open(doomed["context"]())
    assert bench.query(CONTENT) == before
    doomed["forget"](sink)
    assert not files_with(bench.folder, SECRET)
    sink.write(make_batch(upsert(44, "b_1", notes="new"), delete(45, "b_2")))
    expected = dict(before) | {"b_1": "new"}
    del expected["b_2"]
    assert dict(bench.query(CONTENT)) == expected


def test_a_reader_goes_on_while_it_is_forgotten(bench: "Bench") -> None:
    sink = bench.opened()
    _written(sink, "a_1")
    with duckdb.connect(bench.views, read_only=True) as reader:
        before = reader.execute(CONTENT).fetchall()
        sink.forget(Forgotten({("main", "appointments"): ["a_1"]}))
        assert reader.execute(CONTENT).fetchall() == before


def test_those_who_were_deleted_before(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1", notes=SECRET), upsert(2, "a_2", notes="stays")))
    sink.write(make_batch(delete(3, "a_1")))
    assert files_with(bench.folder, SECRET)
    assert sink.forget(Forgotten({("main", "appointments"): ["a_1"]})).complete
    assert not files_with(bench.folder, SECRET)
    assert bench.query(CONTENT) == [("a_2", "stays")]


def test_comments_and_layout_stay(bench: "Bench") -> None:
    """The files made afresh are like those before, for whoever reads them."""
    sink = bench.opened()
    _written(sink, "a_1")
    sink.close()
    before = _shape(bench)
    sink.open(bench.context())
    sink.forget(Forgotten({("main", "appointments"): ["a_1"]}))
    sink.close()
    assert _shape(bench) == before


def _shape(bench: "Bench") -> list[Any]:
    snapshot = bench.data / "snapshot.duckdb"
    with duckdb.connect(snapshot, read_only=True) as reader:
        columns = reader.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE NOT internal ORDER BY ALL"
        ).fetchall()
        comments = reader.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE comment IS NOT NULL ORDER BY ALL"
        ).fetchall()
        assert comments
        compression = reader.execute(
            "SELECT DISTINCT compression FROM pragma_storage_info('appointments')"
            " WHERE column_name = 'appointment_id' AND segment_type = 'VARCHAR'"
        ).fetchall()
        tags = reader.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    return [columns, comments, compression, tags]
