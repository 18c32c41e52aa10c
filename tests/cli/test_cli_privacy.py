"""Commands with sinks that are not shown everything."""

import json
from datetime import UTC, datetime
from importlib.metadata import EntryPoint, entry_points

import pytest
import yaml

from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli
from zimun_sync import sinks
from zimun_sync.sandbox import Sandbox

EMAIL, NOTES = "kanarienvogel@example.com", "Kanarienvogel Nummer Zwei"
SECRET = "a key that is kept secret"


@pytest.fixture(autouse=True)
def canary(sandbox: Sandbox, project: Project) -> None:
    """Someone with an address and notes of their own, and files that are not shown them."""
    record = json.loads(sandbox.world.appointments.window(0, 1).items[0])
    record |= {"contact_email": EMAIL, "notes": NOTES, "contact_phone": None}
    record["updated_at"] = datetime.now(UTC).isoformat()
    sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())
    project.sinks["files"]["privacy"] = policies("hash")
    project.settings["privacy"] = {"keys": {"1": SECRET}}
    project.settings["log"] = {"level": "debug", "format": "json"}
    project.save()


def policies(email: str) -> dict[str, object]:
    return {"personal": "drop", "columns": {"appointments": {"contact_email": email}}}


def files(project: Project, pattern: str = "**/*") -> bytes:
    found = sorted(project.csv.glob(pattern))
    return b"".join(each.read_bytes() for each in found if each.is_file())


def test_one_sink_is_shown_what_another_is_not(cli: Cli, project: Project) -> None:
    ended = cli("sync")
    assert ended.code == 0
    for text in (files(project), (ended.out + ended.err).encode()):
        assert b"anarienvogel" not in text
        assert SECRET.encode() not in text
    assert files(project).count(b"v1:") >= ROWS
    assert (
        EMAIL in cli("query", f"SELECT contact_email FROM appointments WHERE notes = '{NOTES}'").out
    )
    compared = cli("adopt", "files", "--yes")
    assert f"main/appointments: {ROWS} the same, 0 different, 0 not in the sink" in compared.out


def test_what_is_hidden_is_told_its_key_is_not(cli: Cli) -> None:
    shown = cli("sinks", "show", "files").out
    assert "hidden: staff: name drop, email drop, phone drop, extra drop" in shown
    found = cli("sinks", "list", "--json").json
    assert found["files"]["hidden"]["appointment_versions"]["contact_email"] == "hash"
    assert found["analytics"]["hidden"] == {}
    told = cli("config", "show").out
    assert yaml.safe_load(told)["sinks"]["files"]["privacy"] == policies("hash")
    assert SECRET not in told


def test_a_changed_policy_is_caught_up_with(cli: Cli, project: Project) -> None:
    assert cli("sync").code == 0
    assert cli("status", "--json").json["sinks"]["files"]["lag"]["changes"] == 0
    project.sinks["files"]["privacy"] = policies("mask")
    project.save()
    status = cli("status", "--json").json["sinks"]
    assert status["files"]["lag"]["changes"] > ROWS
    assert status["analytics"]["lag"]["changes"] == 0
    filled = cli("backfill", "--sink", "files", "--json")
    assert (filled.code, filled.json["sinks"]["files"]["state"]) == (0, "current")
    assert b"k***@example.com" in files(project, "*.csv")
    assert b"v1:" not in files(project, "*.csv")
    assert cli("status", "--json").json["sinks"]["files"]["lag"]["changes"] == 0


def test_a_remote_system_is_asked_about_nothing_that_is_hidden(
    cli: Cli, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = EntryPoint("crm", "tests.pipeline.crm:connector", sinks.ENTRY_POINT_GROUP)
    installed = [*entry_points(group=sinks.ENTRY_POINT_GROUP), made]
    monkeypatch.setattr(sinks, "entry_points", lambda **_: installed)
    project.settings["sinks"] = {
        "crm": {"type": "crm", "path": "crm.json", "start_from": "all", "privacy": policies("drop")}
    }
    project.save()
    cli("sync")
    told = cli("sync", "--dry-run", "--json").out + cli("sinks", "activate", "crm", "--yes").out
    assert f"appointments: {ROWS} created" in told
    cli("sync")
    written = (project.folder / "crm.json").read_text()
    assert len(json.loads(written)["appointments"]) == ROWS
    assert "@" not in told + written


def test_hashed_customers_are_as_many_as_they_were(cli: Cli, project: Project) -> None:
    hashed = {"type": "duckdb", "path": "var/hashed.duckdb", "privacy": {"personal": "hash"}}
    clear_text = project.sinks["analytics"] | {"model": True}
    project.settings["sinks"] = {"analytics": clear_text, "hashed": hashed}
    project.save()
    assert cli("sync").code == 0
    counts = "SELECT appointments, bookings, no_shows FROM dim_customer ORDER BY ALL"
    clear, coded = (
        cli("query", counts, "--sink", name, "-f", "json").json
        for name in project.settings["sinks"]
    )
    assert clear == coded
    assert len(clear) > 1
    names = cli(
        "query", "SELECT DISTINCT customer_id[:9] AS i FROM dim_customer", "--sink", "hashed"
    )
    assert "email:v1:" in names.out
    assert "@" not in names.out
