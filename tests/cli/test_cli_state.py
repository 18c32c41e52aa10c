"""`zimun-sync status` and `zimun-sync runs`."""

import re
from datetime import datetime

from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli
from zimun_sync.sandbox import Sandbox, read_fault
from zimun_sync.store import ParkKind, Store


def state_of(project: Project) -> Store:
    return Store.open(f"sqlite:///{project.state}", project.folder)


def test_status_before_the_first_sync(cli: Cli) -> None:
    ended = cli("status")
    assert ended.code == 0
    assert ended.out.startswith("All is well.")
    assert "source main: It was never listed." in ended.out
    assert "source main (never listed)" in ended.out
    assert re.search(r"appointments +0 +never +never +0", ended.out)
    assert re.search(r"daemon +not running", ended.out)
    stream = cli("status", "--json").json["sources"]["main"]["streams"]["appointments"]
    assert stream == {
        "records": 0,
        "last_run": None,
        "last_success": None,
        "freshness_seconds": None,
        "in_flight": None,
        "reason": None,
    }


def test_status_after_a_sync(cli: Cli, sandbox: Sandbox) -> None:
    cli("sync")
    ended = cli("status")
    assert ended.code == 0
    assert ended.out.startswith("All is well.\n\nsource main")
    assert f"source main ({sandbox.organization_id})" in ended.out
    assert re.search(r"appointments +40 +succeeded +\d\.\d s ago +4", ended.out)
    assert re.search(r"analytics +duckdb +current", ended.out)
    assert re.search(r"files +csv +current", ended.out)
    assert re.search(r"state +\d+ kB, \d+\.\d [GT]B free on its disk", ended.out)


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
        "notices": [],
    }
    assert status["in_quarantine"] == 0
    assert (status["well"], status["troubles"]) == (True, [])
    assert status["daemon"]["running"] is False


def test_records_in_quarantine_are_told_and_alarm_nobody(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.world.put_appointment("a_bad", b'{"appointment_id": "a_bad"}')
    cli("sync")
    ended = cli("status")
    assert ended.code == 0
    assert "quarantine main: 1 record could not be read." in ended.out
    status = cli("status", "--json").json
    assert status["in_quarantine"] == 1
    assert status["quarantine"] == [{"source": "main", "sink": "", "entries": 1}]


def test_what_needs_someone_comes_first_with_what_to_do(
    cli: Cli, project: Project, sandbox: Sandbox
) -> None:
    project.source["max_attempts"] = 1
    project.save()
    sandbox.faults.order(read_fault("503:page=2"))
    cli("sync")
    with state_of(project) as store:
        store.deliveries.park("files", ParkKind.REJECTIONS, "It refused 24 of 40 changes.", "Look.")
        store.leases.acquire("daemon")
        ended = cli("status")
        assert cli("status", "--json").code == 3
    assert ended.code == 3
    lines = [line.rstrip() for line in ended.out.splitlines()]
    assert lines[0] == "2 things need you:"
    assert lines[1].startswith("✗ source main: Listing appointments failed: ")
    assert lines[2].startswith("  → ")
    assert lines[3:5] == ["✗ sink files: Parked: It refused 24 of 40 changes.", "  → Look."]
    assert re.search(r"appointments +10 +failed +never +1", ended.out)
    assert re.search(r"files +csv +parked", ended.out)
    assert re.search(
        r"source main \(.*\), next pull \w+ \d\d:\d\d UTC \(in [\d.]+ \w+\)", ended.out
    )
    assert re.search(r"daemon +process \d+ on ", ended.out)


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
    took = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    assert abs(took.total_seconds() - runs[0]["duration_seconds"]) < 0.01
    assert cli("runs", "--json", "-n", "1").json == runs[:1]

    shown = cli("runs", "--limit", "3").out
    assert len(shown.splitlines()) == 4
    row = rf"main/appointments .* \d\.\d s +succeeded +4 +40 +0 +{runs[0]['run_id']}"
    assert re.search(row, shown)
    assert cli("runs", "--limit", "0").code == 2


def test_runs_tell_why_one_failed(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    project.source["max_attempts"] = 1
    project.save()
    sandbox.faults.order(read_fault("503:page=2"))
    assert cli("sync").code == 1
    failed = cli("runs", "--json").json[0]
    assert (failed["status"], failed["pages"]) == ("failed", 1)
    assert "503" in failed["error"]
    shown = cli("runs").out
    assert f"{failed['run_id']}: {failed['error']}\n  → {failed['hint']}" in shown


def test_runs_of_one_status_or_source(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    project.source["max_attempts"] = 1
    project.save()
    sandbox.faults.order(read_fault("503:page=2"))
    cli("sync")
    assert [run["stream"] for run in cli("runs", "--status", "failed", "--json").json] == [
        "appointments"
    ]
    assert len(cli("runs", "--source", "main", "--json").json) == 6
    assert cli("runs", "--source", "other", "--json").json == []
    refused = cli("runs", "--status", "lost")
    assert refused.code == 2
    assert "needs_attention" in refused.err
