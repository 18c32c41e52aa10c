"""The main job: everything the source lists is in DuckDB and CSV, to the cent and the second.

`ZIMUN_ACCEPTANCE_ROWS=100000` runs it at another size.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import contents
from tests.acceptance.conftest import NewProject
from tests.acceptance.program import PROGRAM, Project
from zimun_sync.model import STREAMS

pytestmark = pytest.mark.acceptance

ROWS = int(os.environ.get("ZIMUN_ACCEPTANCE_ROWS", "20000"))


@pytest.fixture
def sandbox() -> Iterator[dict[str, Any]]:
    """What a sandbox in a process of its own announces."""
    command = [PROGRAM, "sandbox", "--json", "--port", "0", "--appointments", str(ROWS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def published(project: Project) -> dict[str, tuple[int, int, str]]:
    """Inode, time of change and content of what holds records for readers."""
    files = [*project.csv.glob("*.csv"), *project.database.parent.rglob("*.duckdb")]
    records = [each for each in files if "private" not in each.parts and each.stem != "freshness"]
    return {str(file): _identity(file) for file in records}


def _identity(file: Path) -> tuple[int, int, str]:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()


def test_everything_arrives_exactly_and_an_unchanged_source_costs_nothing(
    sandbox: dict[str, Any], new_project: NewProject
) -> None:
    project = new_project(sandbox["base_url"])
    first = project.sync()
    assert (first.code, first.json["status"]) == (0, "succeeded"), first.err
    assert first.json["runs"][-1]["records"] == ROWS

    truth = contents.of_source(sandbox["control_url"])
    assert truth["count"] == ROWS
    assert contents.of_duckdb(project.database) == truth
    assert contents.of_csv(project.csv) == truth
    assert contents.of_pandas(project.csv) == truth

    before = published(project)
    assert len(before) == len(STREAMS) + 3  # CSV files; the views, the snapshot and the delta
    second = project.sync()
    assert (second.code, second.json["status"]) == (0, "succeeded"), second.err
    assert {run["changed"] for run in second.json["runs"]} == {0}
    assert [(sink["applied"], sink["unchanged"]) for sink in second.json["sinks"].values()] == [
        (0, 0),
        (0, 0),
    ]
    assert published(project) == before
