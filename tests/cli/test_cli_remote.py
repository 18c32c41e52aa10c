"""Sinks that write to remote systems: `sinks`, `sync --dry-run`, `resume` and `replay`."""

import io
import json
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli
from tests.pipeline.crm import Crm, read, save
from zimun_sync import sinks
from zimun_sync.sandbox import Sandbox


@pytest.fixture(autouse=True)
def crm_connector(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connector `crm`, as if a package with it were installed."""
    made = EntryPoint("crm", "tests.pipeline.crm:connector", sinks.ENTRY_POINT_GROUP)
    installed = list(entry_points(group=sinks.ENTRY_POINT_GROUP))
    monkeypatch.setattr(sinks, "entry_points", lambda **_: [*installed, made])


@pytest.fixture
def crm(project: Project) -> Path:
    """Where the CRM lies that the project writes to."""
    del project.sinks["analytics"]
    project.sinks["crm"] = {"type": "crm", "path": "crm.json", "start_from": "all"}
    project.save()
    return project.folder / "crm.json"


@pytest.fixture
def synced(cli: Cli, crm: Path) -> Path:
    """Everything is stored, and nothing of it in the CRM yet."""
    assert cli("sync").code == 3
    assert not crm.exists()
    return crm


@pytest.fixture
def active(cli: Cli, synced: Path) -> Path:
    """The CRM holds everything."""
    assert cli("sinks", "activate", "crm", "--yes").code == 0
    assert cli("sync").code == 0
    return synced


def text(output: str) -> str:
    return " ".join(output.split())


def edit(file: Path, change: Any) -> Crm:
    crm = read(file)
    change(crm)
    save(crm, file)
    return crm


# -- activation ------------------------------------------------------------------------------


def test_a_sync_says_that_a_sink_waits_to_be_activated(cli: Cli, synced: Path) -> None:
    ended = cli("sync")
    assert ended.code == 3
    assert "crm: It writes nothing until it is activated." in ended.out
    assert "`zimun-sync sinks activate crm` shows what it would write, and asks." in ended.out
    assert "sink crm: Parked: It writes nothing until it is activated." in cli("status").out
    assert not synced.exists()


def test_activating_shows_the_counts_and_then_exactly_that_is_written(
    cli: Cli, synced: Path
) -> None:
    ended = cli("sinks", "activate", "crm", "--yes")
    assert ended.code == 0, ended.err
    assert "Sink crm would do this in account crm-1:" in ended.out
    assert f"appointments: {ROWS} created" in ended.out
    assert "It sends all appointments." in ended.out
    assert "Sink crm is active: the daemon, or the next sync, takes it up." in ended.out
    assert not synced.exists()
    report = cli("sync", "--json")
    assert (report.code, report.json["sinks"]["crm"]["applied"]) == (0, ROWS)
    assert len(read(synced).appointments) == ROWS
    assert f"contacts: {len(read(synced).contacts)} created" in ended.out


def test_activating_for_programs(cli: Cli, synced: Path) -> None:
    looked = cli("sinks", "activate", "crm", "--json")
    assert (looked.code, looked.json["activated"]) == (0, False)
    shown = looked.json
    assert (shown["sink"], shown["account"], shown["starts_from"]) == ("crm", "crm-1", None)
    assert shown["appointment"] == {"create": ROWS}
    assert shown.keys() >= {"contact", "changes", "unchanged", "rejected", "skipped"}
    assert cli("sync").code == 3
    done = cli("sinks", "activate", "crm", "--json", "--yes")
    assert done.json["activated"] is True
    again = cli("sinks", "activate", "crm", "--json").json
    assert (again["activated"], again.keys()) == (True, {"sink", "activated", "activated_at"})
    assert "is active already, since 20" in cli("sinks", "activate", "crm").out


def test_without_a_yes_nothing_is_activated(
    cli: Cli, synced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ended = cli("sinks", "activate", "crm")
    assert ended.code == 1
    assert "Activate sink crm?" in ended.out
    assert cli("sync").code == 3
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert cli("sinks", "activate", "crm").code == 0
    assert cli("sync").code == 0


def test_old_appointments_and_bad_ones_are_told_with_their_reasons(
    cli: Cli, crm: Path, project: Project, sandbox: Sandbox
) -> None:
    record = json.loads(sandbox.world.appointments.window(0, 1).items[0])
    record |= {"status": "unheard of", "updated_at": datetime.now(UTC).isoformat()}
    record |= {"appointment_time": (datetime.now(UTC) + timedelta(days=900)).isoformat()}
    sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())
    beginning = f"{datetime.now(UTC) + timedelta(days=800):%Y-%m}-15"
    project.sinks["crm"]["start_from"] = beginning
    project.save()
    cli("sync")
    shown = text(cli("sinks", "activate", "crm", "--yes").out)
    assert f"rejected: 1 1, such as {record['appointment_id']}: Its status is not known" in shown
    assert f"skipped: {ROWS - 1} {ROWS - 1}, such as a" in shown
    assert "It starts before the beginning." in shown
    assert f"It sends appointments that start from {beginning[:8]}" in shown
    ended = cli("sync")
    assert ended.code == 3
    assert "skipped" in ended.out
    assert cli("sync", "--json").json["sinks"]["crm"]["skipped"] == 0
    assert read(crm).writes == []


def test_before_anything_is_stored_it_says_so(cli: Cli, crm: Path) -> None:
    ended = cli("sinks", "activate", "crm", "--json")
    assert ended.json["changes"] == 0
    ended = cli("sinks", "activate", "crm", "--yes")
    assert "Nothing is waiting for it." in ended.out


def test_a_remote_system_that_cannot_be_asked_is_not_activated(cli: Cli, synced: Path) -> None:
    save(Crm(refuses=True), synced)
    ended = cli("sinks", "activate", "crm", "--yes")
    assert ended.code == 1
    assert "The CRM refuses the token." in ended.err
    assert "Give it a new one." in ended.err
    assert cli("sinks", "list", "--json").json["crm"]["activated_at"] is None


@pytest.mark.parametrize("command", ["activate", "deactivate"])
def test_a_sink_of_files_needs_no_activation(cli: Cli, crm: Path, command: str) -> None:
    ended = cli("sinks", command, "files")
    assert ended.code == 2
    assert "Sink files needs no activation" in ended.err


@pytest.mark.parametrize("command", ["activate", "deactivate", "show"])
def test_a_sink_that_is_not_there(cli: Cli, crm: Path, command: str) -> None:
    ended = cli("sinks", command, "warehouse")
    assert (ended.code, ended.out) == (2, "")
    assert "There is no sink named 'warehouse'" in ended.err


def test_a_deactivated_sink_writes_no_more_and_remembers_everything(cli: Cli, active: Path) -> None:
    assert "Sink crm writes nothing from now on" in cli("sinks", "deactivate", "crm").out
    assert "Sink crm was not active" in cli("sinks", "deactivate", "crm").out
    assert cli("sync").code == 3
    shown = cli("sinks", "activate", "crm", "--json", "--yes").json
    assert (shown["activated"], shown["appointment"]) == (True, {})
    assert cli("sync").code == 0
    assert len(read(active).writes) == len(set(read(active).writes))


def test_a_wider_start_from_is_asked_for_again(cli: Cli, active: Path, project: Project) -> None:
    cli("sinks", "deactivate", "crm")
    project.sinks["crm"]["start_from"] = "now"
    project.save()
    cli("sinks", "activate", "crm", "--yes")
    project.sinks["crm"]["start_from"] = "all"
    project.save()
    assert "crm: Its start_from now takes in more appointments" in cli("sync").out
    assert cli("sinks", "list", "--json").json["crm"]["activated_at"] is None
    assert "Sink crm is active: the daemon" in cli("sinks", "activate", "crm", "--yes").out
    assert cli("sync").code == 0


# -- list and show ---------------------------------------------------------------------------


def test_the_list_tells_where_each_sink_stands(cli: Cli, active: Path) -> None:
    found = cli("sinks", "list", "--json").json
    assert list(found) == ["files", "crm"]
    assert (found["files"]["needs_activation"], found["files"]["account"]) == (False, None)
    crm = found["crm"]
    assert (crm["type"], crm["state"], crm["account"]) == ("crm", "current", "crm-1")
    assert crm["remembered"]["appointment"] == {"linked": ROWS}
    assert crm["activated_at"].endswith("+00:00")
    shown = text(cli("sinks", "list").out)
    assert f"{ROWS} appointments linked" in shown
    assert "the first sync" in shown
    assert "crm-1" in shown


def test_notices_are_listed_and_change_no_exit_code(
    cli: Cli, active: Path, sandbox: Sandbox
) -> None:
    record = json.loads(sandbox.world.appointments.window(0, 1).items[0])
    key = record["appointment_id"]
    record |= {"contact_email": None, "updated_at": datetime.now(UTC).isoformat()}
    sandbox.world.put_appointment(key, json.dumps(record).encode())
    synced = cli("sync")
    assert f"level=warning event=sink_noticed sink=crm code=no-email subject=main/{key}" in (
        synced.err
    )
    ended = cli("sinks", "show", "crm", "--json")
    (notice,) = ended.json["notices"]
    assert (notice["code"], notice["subject"], notice["count"]) == ("no-email", f"main/{key}", 1)
    shown = cli("sinks", "show", "crm").out
    assert f"main/{key} has no e-mail address." in shown
    assert "account: crm-1" in shown
    status = cli("status")
    assert status.code == 0
    assert f"notices crm: main/{key} has no e-mail address." in status.out
    assert "`zimun-sync sinks show crm` lists them." in status.out
    assert len(cli("status", "--json").json["sinks"]["crm"]["notices"]) == 1
    assert text(cli("sinks", "list").out).endswith(" 1")


# -- dry runs --------------------------------------------------------------------------------


def differences(ended: Any, part: str = "pending") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ended.json["sinks"]["crm"][part]["differences"]
    return found


def test_a_dry_run_shows_what_would_be_written_and_writes_nothing(
    cli: Cli, synced: Path, sandbox: Sandbox
) -> None:
    sandbox.observed.reset()
    ended = cli("sync", "--dry-run")
    assert ended.code == 0, ended.err
    assert "sink files: its connector cannot tell what it would write." in ended.out
    assert "It is not active, and would write nothing." in ended.out
    assert "create appointment" in ended.out
    assert f"appointments: {ROWS} created" in ended.out
    assert "Nothing was pulled, and nothing was written." in ended.out
    assert "appointments" not in sandbox.observed.report()["requests"]
    assert not synced.exists()
    assert cli("sync").code == 3


def test_a_dry_run_shows_exactly_what_somebody_changed_there(cli: Cli, active: Path) -> None:
    def differ(crm: Crm) -> None:
        crm.writes.clear()
        first, second = sorted(crm.appointments)[:2]
        crm.appointments[first]["status"] = "by hand"
        crm.appointments[second]["starts_at"] = None

    edit(active, differ)
    ended = cli("sync", "--dry-run", "--json", "--sink", "crm")
    assert (ended.code, list(ended.json["sinks"])) == (0, ["crm"])
    assert differences(ended) == []
    first, second = sorted(differences(ended, "taken"), key=lambda each: str(each["remote_id"]))
    assert (first["action"], first["remote_id"]) == ("update", min(read(active).appointments))
    assert [(each["name"], each["present"]) for each in first["fields"]] == [("status", "by hand")]
    assert [(each["name"], each["present"]) for each in second["fields"]] == [("starts_at", None)]
    shown = text(cli("sync", "--dry-run").out)
    assert "Changed there since it was delivered (`replay` writes it):" in shown
    assert "status by hand" in shown
    assert "starts_at empty" in shown
    assert read(active).writes == []

    assert cli("replay", "crm").code == 0
    assert cli("sync").code == 0
    assert len(read(active).writes) == 2
    assert differences(cli("sync", "--dry-run", "--json"), "taken") == []


def test_a_dry_run_names_a_sink_that_cannot_be_asked(cli: Cli, active: Path) -> None:
    edit(active, lambda crm: setattr(crm, "down", True))
    ended = cli("sync", "--dry-run")
    assert ended.code == 1
    assert "It could not be asked: The CRM does not answer." in ended.out
    assert cli("sync", "--dry-run", "--json").json["sinks"]["crm"]["error"] == (
        "The CRM does not answer."
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sink", "crm"], "--sink goes with --dry-run"),
        (["--dry-run", "--full"], "--dry-run lists nothing"),
        (["--dry-run", "--sink", "warehouse"], "There is no sink named 'warehouse'"),
    ],
)
def test_options_that_do_not_go_together(
    cli: Cli, crm: Path, arguments: list[str], said: str
) -> None:
    ended = cli("sync", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


# -- parked for a person, and let go on ------------------------------------------------------


def test_a_sink_that_is_not_active_is_not_resumed(cli: Cli, synced: Path) -> None:
    ended = cli("resume", "crm")
    assert ended.code == 2
    assert "zimun-sync sinks activate crm" in ended.err


def test_a_run_that_creates_too_much_is_held_until_resumed(
    cli: Cli, active: Path, project: Project, sandbox: Sandbox
) -> None:
    project.sinks["crm"]["max_creates_per_run"] = 3
    project.save()
    record = json.loads(sandbox.world.appointments.window(0, 1).items[0])
    for number in range(8):
        record |= {"appointment_id": f"a_new_{number}"}
        sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())
    ended = cli("sync")
    assert ended.code == 3
    assert "crm: It would create more than 3." in ended.out
    assert "`zimun-sync resume crm`" in ended.out
    assert len(read(active).appointments) < ROWS + 8
    assert cli("resume", "crm").out.startswith("Sink crm goes on")
    assert cli("sync").code == 0
    assert len(read(active).appointments) == ROWS + 8


def test_a_check_tries_the_remote_system_and_writes_nothing(cli: Cli, synced: Path) -> None:
    assert "sink crm ready" in text(cli("check").out)
    save(Crm(refuses=True), synced)
    ended = cli("check", "--json")
    assert ended.code == 1
    (finding,) = [each for each in ended.json if each["what"] == "sink crm"]
    assert (finding["verdict"], finding["message"]) == ("bad", "The CRM refuses the token.")
