"""`docs/dbt.md`: its commands build the package with real dbt, and every test of it passes."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from tests.acceptance.program import Project
from tests.conftest import PostgresServer
from tests.marts.business import STREAMS
from tests.systems.running import installed
from zimun_sync.marts import models
from zimun_sync.sandbox import Sandbox, SandboxOptions

pytestmark = pytest.mark.acceptance

PAGE = (Path(__file__).parents[2] / "docs/dbt.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
MODELS = [model.name for model in models()]
#: Models that are never empty here.
FULL = ("fact_appointments", "appointment_history", "metrics_daily", "metrics_utilization")


@pytest.fixture(scope="module")
def server(postgres_server: PostgresServer) -> str:
    """The URL of a database, as the sink and dbt are told it."""
    return postgres_server.new_schema()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, server: str) -> Iterator[Project]:
    """A business in DuckDB and in PostgreSQL, and a folder to run dbt in."""
    with Sandbox(SandboxOptions(appointments=400)) as sandbox:
        made = Project(tmp_path_factory.mktemp("dbt") / "project", sandbox.base_url)
        made.source["streams"] = list(STREAMS)
        del made.sinks["files"]
        made.sinks["warehouse"] = {"type": "postgres", "url": server, "schema": "zimun"}
        made.save()
        ended = made.sync()
        assert ended.code == 0, ended.err
        yield made


def shell(project: Project, script: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Commands as somebody types them who has both programs on the path."""
    programs = (Path(sys.executable).parent, installed("dbt") / "bin", os.environ["PATH"])
    environment = {**os.environ, "PATH": ":".join(map(str, programs)), **more}
    return subprocess.run(
        ["sh", "-ec", script],
        cwd=project.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,  # far more than dbt takes; a hang fails instead of blocking the suite
        check=False,
    )


@pytest.fixture(scope="module")
def built(project: Project) -> Project:
    """The package, built as the page says."""
    ended = shell(project, COMMANDS[0])
    assert ended.returncode == 0, ended.stdout
    return project


def outcome(folder: Path, file: str) -> dict[str, str]:
    """How each model, test or source of dbt's last run came out."""
    found: Mapping[str, Any] = json.loads((folder / "target" / file).read_text(encoding="utf-8"))
    return {each["unique_id"]: each["status"] for each in found["results"]}


def test_every_model_and_every_test_is_green(built: Project) -> None:
    said = outcome(built.folder / "zimun-dbt", "run_results.json")
    assert {f"model.zimun.{name}" for name in MODELS} <= said.keys()
    assert sum(name.startswith("test.zimun.") for name in said) >= 40
    assert {status for name, status in said.items() if name.startswith("test.")} == {"pass"}
    assert set(said.values()) == {"success", "pass"}


def test_every_stream_is_a_source_and_fresh(built: Project) -> None:
    said = outcome(built.folder / "zimun-dbt", "sources.json")
    assert {f"source.zimun.zimun.{name}" for name in STREAMS} <= said.keys()
    assert set(said.values()) == {"pass"}


@pytest.mark.parametrize("model", MODELS)
def test_a_model_holds_what_the_sink_s_view_does(built: Project, model: str) -> None:
    with duckdb.connect(built.folder / "marts.duckdb", read_only=True) as connection:
        connection.execute(f"ATTACH '{built.database}' AS zimun (READ_ONLY)")
        ours, theirs = (
            connection.execute(
                f"SELECT count(*), bit_xor(hash(t)) FROM {database}.{model} t"
            ).fetchall()
            for database in ("marts", "zimun")
        )
    assert ours == theirs
    assert ours[0][0] > 0 or model not in FULL


def test_a_project_of_one_s_own_builds_on_it(built: Project) -> None:
    ended = shell(built, "export DBT_SEND_ANONYMOUS_USAGE_STATS=false\n" + COMMANDS[1])
    assert ended.returncode == 0, ended.stdout
    assert outcome(built.folder / "my-dbt", "run_results.json")["model.mine.regulars"] == "success"


def test_damaged_data_is_told(built: Project, tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "damaged.duckdb") as connection:
        connection.execute(f"ATTACH '{built.database}' AS zimun (READ_ONLY)")
        for stream in (*STREAMS, "appointment_versions", "freshness"):
            connection.execute(f"CREATE TABLE {stream} AS FROM zimun.{stream}")
        connection.execute("INSERT INTO services FROM services LIMIT 1")
        connection.execute("UPDATE appointments SET status = 'postponed'")
        connection.execute("UPDATE staff SET _synced_at = NULL")
    profiles = (built.folder / "zimun-dbt/profiles.yml").read_text(encoding="utf-8")
    damaged = profiles.replace("var/zimun.duckdb", str(tmp_path / "damaged.duckdb"))
    damaged = damaged.replace("marts.duckdb", str(tmp_path / "marts.duckdb"))
    (tmp_path / "profiles.yml").write_text(damaged, encoding="utf-8")
    ended = shell(built, dbt(tmp_path))
    assert ended.returncode == 1, ended.stdout
    said = outcome(tmp_path, "run_results.json")
    failed = " ".join(name for name, status in said.items() if status == "fail")
    assert "unique_dim_service" in failed
    assert "accepted_values_appointment_history_status" in failed
    assert "not_null_zimun_staff__synced_at" in failed


def dbt(folder: Path, more: str = "") -> str:
    """`dbt build` with profiles in a folder, which also takes what dbt writes."""
    ways = f"--profiles-dir {folder} --target-path {folder}/target --log-path {folder}"
    return f"DBT_SEND_ANONYMOUS_USAGE_STATS=false dbt build --project-dir zimun-dbt {ways} {more}"


def test_postgresql_answers_as_its_own_views_do(
    built: Project, server: str, tmp_path: Path
) -> None:
    (page,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    profiles = yaml.safe_load(page)
    where = conninfo_to_dict(server)
    profiles["zimun"]["outputs"]["postgres"] |= {
        "host": where["host"],
        "user": where["user"],
        "dbname": where["dbname"],
    }
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profiles), encoding="utf-8")
    ended = shell(built, dbt(tmp_path), DBT_PASSWORD="none")
    assert ended.returncode == 0, ended.stdout
    assert set(outcome(tmp_path, "run_results.json").values()) == {"success", "pass"}
    with psycopg.connect(server) as connection:
        for model in MODELS:
            ours, theirs = (
                connection.execute(
                    f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) "
                    f"FROM {schema}.{model} t"
                ).fetchall()
                for schema in ("marts", "zimun")
            )
            assert ours == theirs
