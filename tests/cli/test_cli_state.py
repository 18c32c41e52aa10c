"""`zimun-sync status` and `zimun-sync runs`."""

import re
from datetime import datetime

from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli
from zimun_sync.sandbox import Sandbox, read_fault


def test_status_before_the_first_sync(cli: Cli) -> None:
    ended = cli("status")
    assert ended.code == 0
    assert "source main (never listed)" in ended.out
    assert re.search(r"appointments +0 +never +never +0", ended.out)
    stream = cli("status", "--json").json["sources"]["main"]["streams"]["appointments"]
    assert stream == {
        "records": 0,
        "last_run": None,
        "last_success": None,
        "freshness_seconds": None,
    }


def test_status_after_a_sync(cli: Cli, sandbox: Sandbox) -> None:
    cli("sync")
    ended = cli("status")
    assert ended.code == 0
    assert f"source main ({sandbox.organization_id})" in ended.out
    assert re.search(r"appointments +40 +succeeded +\d\.\d s ago +4", ended.out)
    assert "sink analytics (duckdb): current" in ended.out
    assert "sink files (csv): current" in ended.out


def test_status_for_programs(cli: Cli, sandbox: Sandbox) -> None:
    cli("sync")
    status = cli("status", "--json").json
    source = status["sources"]["main"]
    assert source["organization"] == sandbox.organization_id
    stream = source["streams"]["appointments"]
    assert stream["records"] == ROWS
    assert stream["last_run"]["status"] == "succeeded"
    assert datetime.fromisoformat(stream["last_success"]).tzinfo is not None
    assert 0 <= stream["freshness_seconds"] < 60
    assert status["sinks"]["analytics"] == {
        "type": "duckdb",
        "state": "current",
        "lag": {"changes": 0, "seconds": 0.0},
        "reason": None,
        "hint": None,
        "since": None,
    }
    assert status["in_quarantine"] == 0


def test_status_tells_who_is_behind(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.world.put_appointment("a_bad", b'{"appointment_id": "a_bad"}')
    cli("sync")
    assert "1 in quarantine" in cli("status").out
    assert cli("status", "--json").json["in_quarantine"] == 1


def test_runs_the_newest_first(cli: Cli) -> None:
    assert cli("runs", "--json").json == []
    cli("sync")
    cli("sync")
    runs = cli("runs", "--json").json
    assert len(runs) == 12
    assert (runs[0]["stream"], runs[-1]["stream"]) == ("appointments", "organization")
    assert (runs[0]["changed"], runs[6]["changed"]) == (0, ROWS)
    assert runs[0].items() >= {"source": "main", "pages": 4, "error": None}.items()
    started, finished = runs[0]["started_at"], runs[0]["finished_at"]
    assert datetime.fromisoformat(started) <= datetime.fromisoformat(finished)
    assert cli("runs", "--json", "-n", "1").json == runs[:1]

    shown = cli("runs", "--limit", "3").out
    assert len(shown.splitlines()) == 4
    assert re.search(rf"{runs[0]['run_id']} +main/appointments .* succeeded +4 +40 +0", shown)
    assert cli("runs", "--limit", "0").code == 2


def test_runs_tell_why_one_failed(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    project.source["max_attempts"] = 1
    project.save()
    sandbox.faults.order(read_fault("503:page=2"))
    assert cli("sync").code == 1
    failed = cli("runs", "--json").json[0]
    assert (failed["status"], failed["pages"]) == ("failed", 1)
    assert "503" in failed["error"]
    assert f"{failed['run_id']}: {failed['error']}" in cli("runs").out
