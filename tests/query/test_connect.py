"""`zimun_sync.connect`: a read-only connection for notebooks."""

import subprocess
import sys

import duckdb
import pyarrow as pa
import pytest

import zimun_sync
from tests.acceptance.program import Project
from tests.query.conftest import ROWS, Cli
from zimun_sync.errors import ConfigError


def test_it_reads_and_cannot_write(ask: Cli, filled: Project) -> None:
    with zimun_sync.connect(filled.file) as db:
        assert db.execute("SELECT count(*) FROM appointments").fetchone() == (ROWS,)
        with pytest.raises(duckdb.Error, match="read-only"):
            db.execute("DROP VIEW appointments")


def test_it_looks_for_the_configuration_in_the_usual_places(ask: Cli) -> None:
    with zimun_sync.connect() as db:
        found = db.sql("SELECT starts_at, price_amount FROM appointments").to_arrow_table()
    assert found.num_rows == ROWS
    assert found.schema.types == [pa.timestamp("us", "UTC"), pa.decimal128(18, 4)]


def test_its_time_zone_is_utc_unless_another_is_asked_for(ask: Cli) -> None:
    sql = "SELECT CAST(TIMESTAMPTZ '2026-07-01 23:30:00+00' AS DATE)::VARCHAR"
    with zimun_sync.connect() as utc, zimun_sync.connect(timezone="Europe/Berlin") as berlin:
        assert utc.execute(sql).fetchone() == ("2026-07-01",)
        assert berlin.execute(sql).fetchone() == ("2026-07-02",)


def test_a_refusal_says_what_to_do_in_a_notebook_too(ask: Cli) -> None:
    with pytest.raises(ConfigError, match="is of type csv") as raised:
        zimun_sync.connect(sink="files")
    assert raised.value.__notes__ == ["what to do: Name one of these: analytics."]
    with pytest.raises(ConfigError, match="is not a time zone"):
        zimun_sync.connect(timezone="Mars")


def test_importing_the_package_loads_no_library() -> None:
    script = "import sys, zimun_sync; print({'duckdb', 'pyarrow', 'pydantic'} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "set()\n"
