"""`zimun-sync sync`: what it prints, for people and for programs, and its exit codes."""

import json
import os
import pty
import re
import sqlite3
import subprocess
from contextlib import closing
from typing import Any

from tests.acceptance.program import PROGRAM, Project, neutral_environment
from tests.cli.conftest import ROWS, Cli
from zimun_sync.sandbox import Sandbox, SandboxOptions, read_fault

STREAMS = ["organization", "locations", "services", "staff", "resources", "appointments"]
RUN_KEYS = {
    "source",
    "stream",
    "pages",
    "records",
    "changed",
    "quarantined",
    "tombstoned",
    "resumed",
    "passes",
    "found_late",
}
SINK_KEYS = {"applied", "unchanged", "rejected", "lag"}


def appointments(report: dict[str, Any]) -> dict[str, Any]:
    [run] = [run for run in report["runs"] if run["stream"] == "appointments"]
    return dict(run)


def test_json_has_the_documented_shape(cli: Cli) -> None:
    ended = cli("sync", "--json")
    report = ended.json
    assert (ended.code, report["status"]) == (0, "succeeded")
    assert [run["stream"] for run in report["runs"]] == STREAMS
    assert all(run.keys() >= RUN_KEYS for run in report["runs"])
    assert {run["source"] for run in report["runs"]} == {"main"}
    assert (
        appointments(report).items()
        >= {
            "pages": 4,
            "records": ROWS,
            "changed": ROWS,
            "quarantined": 0,
            "tombstoned": 0,
            "resumed": False,
        }.items()
    )
    assert set(report["sinks"]) == {"analytics", "files"}
    for sink in report["sinks"].values():
        assert sink.keys() >= SINK_KEYS
        assert sink["lag"] == {"changes": 0, "seconds": 0.0}
        assert sink["applied"] == sum(run["changed"] for run in report["runs"])


def test_people_get_tables(cli: Cli) -> None:
    ended = cli("sync")
    assert re.search(r"main/appointments +4 +40 +40 +0 +succeeded", ended.out)
    assert re.search(r"analytics +\d+ +0 +0 +0 +current", ended.out)
    assert "Sync succeeded in" in ended.out


def test_one_source_of_several(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    project.settings["sources"]["other"] = project.source | {"page_size": 20}
    project.save()
    report = cli("sync", "--json", "--source", "other").json
    assert {run["source"] for run in report["runs"]} == {"other"}
    both = cli("sync", "--json", "-s", "other", "-s", "main").json
    assert {run["source"] for run in both["runs"]} == {"main", "other"}
    assert len(cli("sync", "--json").json["runs"]) == 2 * len(STREAMS)

    ended = cli("sync", "--source", "third")
    assert (ended.code, ended.out) == (2, "")
    assert "There is no source named 'third'" in ended.err
    assert "main, other" in ended.err


def test_full_begins_at_the_first_page(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    project.source["max_attempts"] = 1
    project.save()
    for arguments, resumed, pages in ([], True, 2), (["--full"], False, 4):
        sandbox.faults.order(read_fault("503:page=3"))
        failed = cli("sync", "--json", "--full")
        assert (failed.code, failed.json["status"]) == (1, "failed")
        assert "503" in appointments(failed.json)["error"]

        sandbox.observed.reset()
        ended = cli("sync", "--json", *arguments)
        assert (ended.code, appointments(ended.json)["resumed"]) == (0, resumed)
        assert sandbox.observed.report()["requests"]["appointments"] == pages


def test_by_default_a_first_listing_is_read_forward_and_backward(
    cli: Cli, project: Project
) -> None:
    del project.source["paging"]
    project.save()
    runs = [appointments(cli("sync", "--json").json) for _ in range(2)]
    assert [(each["passes"], each["pages"], each["records"]) for each in runs] == [
        (2, 8, 40),
        (1, 4, 40),
    ]


def test_without_a_daemon_what_is_over_is_let_go_too(cli: Cli, project: Project) -> None:
    for _ in range(2):
        cli("sync")
    with closing(sqlite3.connect(project.state)) as state, state:
        state.execute(
            "UPDATE runs SET started_at = 1, finished_at = 2"
            " WHERE rowid IN (SELECT min(rowid) FROM runs GROUP BY stream)"
        )
        [runs] = state.execute("SELECT count(*) FROM runs").fetchone()
    project.settings["retention"] = {"runs_days": 30}
    project.save()
    told = cli("sync").err
    assert f"event=state_cleaned inbox=0 runs={runs // 2}" in told
    with closing(sqlite3.connect(project.state)) as state:
        assert state.execute("SELECT count(*) FROM runs").fetchone() == (runs,)


def test_something_in_quarantine_is_exit_code_3(cli: Cli, sandbox: Sandbox) -> None:
    sandbox.world.put_appointment("a_bad", b'{"appointment_id": "a_bad"}')
    ended = cli("sync")
    assert ended.code == 3
    assert "1 in quarantine: see `zimun-sync quarantine list`." in ended.out
    assert "Sync partial" in ended.out
    assert cli("sync", "--json").json["status"] == "partial"


def test_log_lines_are_keys_and_values(cli: Cli) -> None:
    lines = cli("sync").err.splitlines()
    pair = r'[a-z_]+=(?:"[^"]*"|[^\s"]*)'
    assert all(re.fullmatch(rf"{pair}(?: {pair})*", line) for line in lines)
    finished = [line for line in lines if "event=run_finished" in line]
    assert len(finished) == len(STREAMS)
    assert "level=info" in finished[-1]
    assert "source=main stream=appointments" in finished[-1]
    assert "pages=4 records=40" in finished[-1]
    assert not [line for line in lines if "event=page_stored" in line]


def test_log_lines_as_json_with_every_page(cli: Cli, project: Project) -> None:
    project.settings["log"] = {"format": "json", "level": "debug"}
    project.save()
    lines = [json.loads(line) for line in cli("sync").err.splitlines()]
    pages = [line for line in lines if line["event"] == "page_stored"]
    assert [each["records"] for each in pages if each["stream"] == "appointments"] == [
        10,
        20,
        30,
        40,
    ]
    assert {line["event"] for line in lines} >= {"run_started", "run_finished", "batch_delivered"}


def test_a_terminal_shows_progress(project: Project) -> None:
    with Sandbox(SandboxOptions(appointments=ROWS, latency_ms=200)) as slow:
        project.source["base_url"] = slow.base_url
        project.save()
        code, shown = on_a_terminal(project, "sync")
    assert code == 0
    seen = {
        int(pages): int(records)
        for pages, records in re.findall(
            r"main/appointments +(\d) pages +(\d+) records +\d+/s", shown
        )
    }
    assert seen.items() <= {0: 0, 1: 10, 2: 20, 3: 30, 4: 40}.items()
    assert len(seen) > 2
    assert re.search(r"analytics +\d+ applied +\d+ unchanged +lag \d+", shown)
    assert "event=" not in shown
    assert "Sync succeeded" in shown


def on_a_terminal(project: Project, *arguments: str) -> tuple[int, str]:
    """A command's exit code and all that it showed, without colours and cursor movements."""
    ours, theirs = pty.openpty()
    environment = neutral_environment() | {
        "TERM": "xterm-256color",
        "COLUMNS": "160",
        "LINES": "40",
    }
    with subprocess.Popen(
        [PROGRAM, *arguments],
        cwd=project.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return process.returncode, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux: the other end was closed
        return b""
