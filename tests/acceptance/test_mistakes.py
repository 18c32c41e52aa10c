"""What people get wrong: one clear message each, an exit code, and nothing half-written."""

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import NewProject, Serve
from tests.acceptance.program import Ended, Project, runs_until
from zimun_sync.sandbox import Sandbox, read_fault

pytestmark = pytest.mark.acceptance

FAILED, CONFIGURATION = 1, 2
#: A sync that got as far as the source leaves its state, and no trace in any sink.
STATE_ONLY = ["var", "var/state.db"]


@pytest.fixture
def sandbox(serve: Serve) -> Sandbox:
    return serve(appointments=20)


@pytest.fixture
def project(sandbox: Sandbox, new_project: NewProject) -> Project:
    return new_project(sandbox.base_url)


def assert_one_message(ended: Ended, code: int, *words: str) -> None:
    """What is wrong, and what to do about it, once, on standard error or in the summary."""
    said = re.sub(r"^timestamp=.*\n", "", ended.err, flags=re.MULTILINE) + ended.out
    assert ended.code == code, said
    assert "Traceback" not in said
    assert said.count("what to do:") == 1, said
    for word in words:
        assert word in said


def test_a_wrong_secret(sandbox: Sandbox, new_project: NewProject) -> None:
    project = new_project(sandbox.base_url, "not-the-secret")
    ended = project.run("sync")
    assert_one_message(ended, FAILED, "401", "Check client_id and client_secret")
    assert "not-the-secret" not in ended.out + ended.err
    assert project.files() == STATE_ONLY


def test_a_host_that_is_not_there(new_project: NewProject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    project = new_project(f"http://127.0.0.1:{port}/api/v1")
    project.source["max_attempts"] = 2
    project.save()
    assert_one_message(project.run("sync"), FAILED, "could not be reached", "Check base_url")
    assert project.files() == STATE_ONLY


def _unknown_connector(project: Project) -> None:
    project.sinks["analytics"]["type"] = "dukdb"


def _misspelt_setting(project: Project) -> None:
    project.source["page_sze"] = 100


def _missing_variable(project: Project) -> None:
    project.source["client_secret"] = "${ZIMUN_TEST_NOT_SET}"


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (_unknown_connector, ["sinks.analytics.type", "'dukdb'", "Did you mean 'duckdb'?"]),
        (_misspelt_setting, ["sources.main.page_sze", "did you mean page_size?"]),
        (_missing_variable, ["sources.main.client_secret", "ZIMUN_TEST_NOT_SET is not set"]),
    ],
)
def test_a_mistake_in_the_configuration(
    project: Project, mistake: Callable[[Project], None], words: list[str]
) -> None:
    mistake(project)
    project.save()
    ended = project.run("sync")
    assert_one_message(ended, CONFIGURATION, "zimun-sync.yaml:", *words)
    assert project.files() == []


def test_no_configuration(project: Project) -> None:
    project.file.unlink()
    assert_one_message(project.run("sync"), CONFIGURATION, "zimun-sync init", "--config")
    ended = project.run("sync", "--config", "elsewhere.yaml")
    assert_one_message(ended, CONFIGURATION, "elsewhere.yaml: there is no such file")
    assert project.files() == []


@pytest.mark.parametrize("sink", ["analytics", "files"])
def test_a_sink_whose_path_cannot_be_written(project: Project, sink: str) -> None:
    (project.folder / "plain").write_text("a file, not a folder")
    project.sinks[sink]["path"] = "plain/below.duckdb"
    project.save()
    ended = project.run("sync")
    assert_one_message(ended, CONFIGURATION, f"sinks.{sink}", "plain", "Choose another `path`")
    assert project.files() == ["plain", *STATE_ONLY]


def test_a_state_whose_path_cannot_be_written(project: Project) -> None:
    (project.folder / "plain").write_text("a file, not a folder")
    project.settings["state"] = "sqlite:///plain/state.db"
    project.save()
    assert_one_message(project.run("sync"), FAILED, "plain", "Choose another path for `state`")
    assert project.files() == ["plain"]


@pytest.mark.parametrize("damage", [b"", b"not a database" * 300])
def test_a_damaged_state_is_left_as_it_is(project: Project, damage: bytes) -> None:
    assert project.sync().code == 0
    before = _contents(project)
    project.state.write_bytes(damage)
    assert_one_message(project.run("sync"), FAILED, "state.db", "Restore a backup")
    assert project.state.read_bytes() == damage
    assert _contents(project) == before


def _contents(project: Project) -> dict[Path, bytes]:
    files = [each for each in project.state.parent.rglob("*") if each.is_file()]
    return {file: file.read_bytes() for file in files if not file.name.startswith("state.db")}


def test_a_second_sync_beside_one_that_is_running(sandbox: Sandbox, project: Project) -> None:
    sandbox.faults.order(read_fault("429:retry_after=60"))
    with (
        (project.folder / "log").open("w+") as log,
        project.started("sync", stdout=log, stderr=log) as first,
    ):
        requests = sandbox.observed.report
        assert runs_until(first, lambda: "appointments" in requests()["requests"])
        assert_one_message(project.run("sync"), FAILED, "is being worked on by process")
        sandbox.faults.clear()
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == FAILED
        log.seek(0)
        assert "interrupted, the next sync goes on from here" in log.read()
    assert project.sync().code == 0
