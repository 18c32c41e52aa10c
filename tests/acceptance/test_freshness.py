"""`freshness` as analysts read it, while the program pulls, well or not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.acceptance.daemon import fresh_secret, serve_settings, serving, until
from tests.acceptance.program import PATIENCE_SECONDS, Project
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance

READER = Path(__file__).parents[1] / "duckdb" / "hammer.py"
ROWS = 60
#: When the last complete listing of appointments was asked for, and how the last one went.
QUESTION = """
    SELECT epoch_us(last_pull_at), last_pull_status, records, epoch_us(shown_at)
    FROM freshness WHERE stream = 'appointments'"""


@pytest.fixture
def project(new_project: Callable[..., Project], serve: Callable[..., Sandbox]) -> Project:
    return new_project(serve(appointments=ROWS).base_url)


def shown(project: Project) -> tuple[Any, ...]:
    with duckdb.connect(project.database, read_only=True) as connection:
        (row,) = connection.execute(QUESTION).fetchall()
    return tuple(row)


def published(project: Project) -> dict[str, int]:
    """Which files hold the records that readers see."""
    data = project.database.with_name("zimun.data")
    names = ("snapshot.duckdb", "delta.duckdb")
    return {name: (data / name).stat().st_ino for name in names}


def test_it_moves_on_with_each_pull_before_a_reader_that_never_lets_go(project: Project) -> None:
    assert project.sync().code == 0
    asked, status, records, at = shown(project)
    assert (status, records) == ("succeeded", ROWS)
    files = published(project)
    command = [sys.executable, str(READER), str(project.database), QUESTION]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as reader:
        ended = project.sync()
        answers, errors = reader.communicate(timeout=PATIENCE_SECONDS)
    assert errors == ""
    assert {line.split()[1] for line in answers.splitlines()} == {"succeeded"}
    assert ended.json["sinks"]["analytics"]["applied"] == 0
    again, _, _, later = shown(project)
    assert (again > asked, later > at) == (True, True)
    assert published(project) == files

    header, *lines = (project.csv / "freshness.csv").read_text(encoding="utf-8").splitlines()
    assert header.startswith("_source,stream,last_pull_at")
    assert [line.split(",")[3] for line in lines if ",appointments," in line] == ["succeeded"]


def test_a_pull_that_fails_says_so_and_keeps_the_time_of_the_last_good_one(
    project: Project,
) -> None:
    assert project.sync().code == 0
    asked, *_ = shown(project)
    project.source["client_secret"] = "wrong"
    project.save()
    assert project.sync().code != 0
    assert shown(project)[:3] == (asked, "failed", ROWS)


def test_a_daemon_shows_it_after_each_of_its_pulls(project: Project) -> None:
    serve_settings(project, fresh_secret())
    with serving(project, project.source["webhook_secrets"][0]) as daemon:
        daemon.wait_for_first_pull()
        until(lambda: "succeeded" in _status(project), "the first pull is shown")
        asked, *_ = shown(project)
        assert project.sync().code == 0
        until(lambda: shown(project)[0] > asked, "the second pull is shown")


def _status(project: Project) -> list[str]:
    with duckdb.connect(project.database, read_only=True) as connection:
        query = "SELECT last_pull_status FROM freshness WHERE stream = 'appointments'"
        return [status for (status,) in connection.execute(query).fetchall()]
