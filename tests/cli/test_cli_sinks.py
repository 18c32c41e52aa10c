"""`zimun-sync connectors`, `resume` and `adopt`."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance import contents
from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli
from zimun_sync.sandbox import Sandbox


def test_connectors(cli: Cli) -> None:
    found = cli("connectors", "--json").json
    assert set(found) >= {"csv", "duckdb"}
    shown = cli("connectors").out
    for name, summary in found.items():
        assert name in shown
        assert summary in shown


def change_one(sandbox: Sandbox) -> None:
    item = sandbox.world.appointments.window(0, 1).items[0]
    record = json.loads(item)
    record |= {"notes": "moved", "updated_at": datetime.now(UTC).isoformat()}
    sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())


@pytest.fixture
def broken(cli: Cli, project: Project, sandbox: Sandbox) -> Path:
    """Where the CSV folder went; in its place lies a file, and a sync has met it."""
    assert cli("sync").code == 0
    away = project.csv.rename(project.folder / "away")
    project.csv.write_text("in the way")
    change_one(sandbox)
    ended = cli("sync", "--json")
    assert (ended.code, ended.json["status"]) == (3, "partial")
    assert ended.json["sinks"]["files"]["state"] == "parked"
    assert ended.json["sinks"]["analytics"]["state"] == "current"
    return away


def test_a_broken_sink_is_parked_and_told(cli: Cli, broken: Path) -> None:
    status = cli("status", "--json").json["sinks"]["files"]
    assert status["state"] == "parked"
    assert status["lag"]["changes"] == 2  # the appointment, and its past
    assert status["reason"]
    assert status["hint"]
    shown = " ".join(cli("status").out.split())
    assert "sink files: Parked:" in shown
    assert " ".join(status["hint"].split()) in shown


def test_a_sink_that_was_mended_takes_up_where_it_stood(
    cli: Cli, broken: Path, project: Project, sandbox: Sandbox
) -> None:
    project.csv.unlink()
    broken.rename(project.csv)
    ended = cli("resume", "files")
    assert ended.out == "Sink files goes on: the daemon, or the next sync, takes it up.\n"
    assert cli("resume", "files").out == "Sink files was not held up.\n"
    ended = cli("sync", "--json")
    assert (ended.code, ended.json["sinks"]["files"]["applied"]) == (0, 3)  # and two versions
    assert contents.of_csv(project.csv) == contents.of_source(sandbox.control_url)


@pytest.mark.parametrize("command", ["resume", "adopt"])
def test_a_sink_that_nobody_configured(cli: Cli, command: str) -> None:
    ended = cli(command, "warehouse")
    assert ended.code == 2
    assert "There is no sink named 'warehouse'" in ended.err
    assert "analytics, files" in ended.err


def test_a_lost_state_is_refused_until_the_sinks_are_adopted(
    cli: Cli, project: Project, sandbox: Sandbox
) -> None:
    assert cli("sync").code == 0
    truth = contents.of_source(sandbox.control_url)
    for file in project.state.parent.glob("state.db*"):
        file.unlink()

    refused = cli("sync")
    assert (refused.code, refused.out) == (2, "")
    assert "filled from another store" in refused.err
    assert "zimun-sync adopt analytics" in refused.err

    for sink in project.sinks:
        ended = cli("adopt", sink, "--yes")
        assert ended.code == 0, ended.err
        assert f"main/appointments: 0 the same, 0 different, 0 not in the sink yet, {ROWS}" in (
            ended.out
        )
    ended = cli("sync", "--json")
    assert (ended.code, ended.json["status"]) == (0, "succeeded")
    assert contents.of_duckdb(project.database) == truth
    assert contents.of_csv(project.csv) == truth


def test_adopting_is_not_done_without_a_yes(
    cli: Cli, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("sync").code == 0
    for file in project.state.parent.glob("state.db*"):
        file.unlink()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ended = cli("adopt", "files")
    assert ended.code == 1
    assert "Aborted" in ended.err
    assert cli("sync").code == 2
