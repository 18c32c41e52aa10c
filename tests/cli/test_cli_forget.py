"""`zimun-sync forget`: nothing about a person is left, and nothing brings them back."""

import json
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import Project
from tests.cli.conftest import Cli
from zimun_sync.sandbox import Sandbox
from zimun_sync.store import Store

PERSON = ("--email", "canary@example.net", "--phone", "+49 30 23125777")
TIME = "2026-11-02T09:45:00+01:00"
#: Ways in which a person stands in records, each with a word that must not be found anywhere.
RECORDS: dict[str, dict[str, Any]] = {
    "a_mail": {
        "contact_name": "Canary One",
        "contact_email": "Canary@Example.net",
        "notes": "canary two",
        "loyalty": {"card": "canary three"},
    },
    "a_phone": {"contact_name": "Canary Four", "contact_phone": "030/23125-777"},
    "a_mention": {
        "contact_name": "Robin Reed",
        "contact_email": "robin@example.org",
        "notes": "Sits beside CANARY@example.net.",
        "guests": [{"mail": "canary@example.net"}, {"mail": "kim@example.org"}],
    },
    "a_gone": {"contact_name": "Canary Five", "contact_email": "canary@example.net"},
    "a_other": {"contact_name": "Kim Porter", "contact_email": "kim@example.org"},
}
BAD: dict[str, Any] = {"contact_email": "canary@example.net", "appointment_time": "soon"}


def put(sandbox: Sandbox, key: str, minute: int = 0, **fields: Any) -> None:
    """Let the source have the appointment so, changed in that minute."""
    own = {"appointment_id": key, "appointment_time": TIME, "status": "confirmed"}
    changed = {"updated_at": f"2026-11-01T10:{minute:02d}:00+00:00"}
    sandbox.world.put_appointment(key, json.dumps(own | changed | fields).encode())


@pytest.fixture
def known(cli: Cli, project: Project, sandbox: Sandbox) -> Project:
    """A project whose state, past and sinks hold the person in every way."""
    # A canary that bought the booking before somebody else did, and one that is gone.
    put(sandbox, "a_moved", contact_name="Canary Six", contact_email="canary@example.net")
    for key, fields in RECORDS.items():
        put(sandbox, key, **fields)
    put(sandbox, "a_bad", **BAD)
    assert cli("sync").code == 3
    put(sandbox, "a_moved", 5, contact_name="Kim Porter", contact_email="kim@example.org")
    put(sandbox, "a_mail", 6, **RECORDS["a_mail"] | {"notes": "canary seven"})
    sandbox.world.remove_appointment("a_gone")
    assert cli("sync", "--full").code == 3
    return project


def found_in(project: Project) -> list[str]:
    """Files of the project in which the word still stands."""
    files = [each for each in (project.folder / "var").rglob("*") if each.is_file()]
    return [each.name for each in files if b"canary" in each.read_bytes().lower()]


def records_in(project: Project) -> dict[Path, bytes]:
    """The CSV files but for that which tells when they were looked at."""
    files = set(project.csv.rglob("*.csv")) - {project.csv / "freshness.csv"}
    return {each: each.read_bytes() for each in files}


def row(cli: Cli, key: str, *columns: str) -> dict[str, Any]:
    """An appointment as the analysts' database shows it."""
    listed = ", ".join(columns) or "*"
    query = f"SELECT {listed} FROM appointments WHERE appointment_id = '{key}'"
    [found] = cli("query", "--format", "json", query).json
    content: dict[str, Any] = found
    return content


def test_nothing_is_left_but_the_appointments(cli: Cli, known: Project) -> None:
    assert {"state.db", "appointments.csv"} <= set(found_in(known))
    versions = "SELECT appointment_id, changed, contact_name FROM appointment_versions"
    before = cli("query", "--format", "json", versions).json
    assert "Canary" in json.dumps(before)

    ended = cli("forget", *PERSON, "--yes", "--json")
    assert ended.code == 0, (ended.out, ended.err)
    assert found_in(known) == []
    _check_receipt(ended.json)
    _check_appointments(cli)
    # What happened to an appointment stays to be seen; whose it was does not.
    after = cli("query", "--format", "json", versions).json
    assert "Canary" not in json.dumps(after)
    assert {each["appointment_id"] for each in after} >= {"a_moved", "a_gone"}

    cli("sync", "--full")
    shown = records_in(known)
    report = cli("sync", "--full", "--json").json
    assert sum(run["changed"] for run in report["runs"]) == 0
    assert records_in(known) == shown


def _check_receipt(receipt: dict[str, Any]) -> None:
    assert receipt["erased_from_state_at"]
    statuses = {each["sink"]: each["status"] for each in receipt["sinks"]}
    assert statuses == {"analytics": "done", "files": "done"}
    counts = {(each["stream"], each["records"]) for each in receipt["records"]}
    assert counts >= {("appointments", 5)}


def _check_appointments(cli: Cli) -> None:
    personal = ("contact_name", "contact_email", "contact_phone", "notes", "extra")
    for key in ("a_mail", "a_phone"):
        shown = row(cli, key, "status", "local_start", *personal)
        assert shown["status"] == "confirmed"
        assert shown["local_start"]
        assert [shown[name] for name in personal] == [None] * len(personal)
    mention = row(cli, "a_mention", *personal)
    assert mention["contact_name"] == "Robin Reed"
    assert mention["notes"] is None
    assert mention["extra"] == {"guests": [{"mail": None}, {"mail": "kim@example.org"}]}
    assert row(cli, "a_other", "contact_name") == {"contact_name": "Kim Porter"}
    assert row(cli, "a_moved", "contact_name") == {"contact_name": "Kim Porter"}


def test_nothing_brings_them_back(cli: Cli, known: Project, sandbox: Sandbox) -> None:
    assert cli("forget", *PERSON, "--yes").code == 0
    put(sandbox, "a_new", contact_name="Canary Eight", contact_phone="+49 30 23125 777")
    put(sandbox, "a_phone", 30, **RECORDS["a_phone"] | {"notes": "canary nine"})
    for command in (("sync", "--full"), ("quarantine", "retry", "--all"), ("sync",)):
        cli(*command)
    for sink in ("analytics", "files"):
        assert cli("replay", sink).code == 0
    assert cli("sync").code == 3  # one cannot be read, as before
    assert found_in(known) == []
    assert row(cli, "a_new", "contact_name", "status") == {
        "contact_name": None,
        "status": "confirmed",
    }


def test_states_that_name_nobody_are_theirs_too(
    cli: Cli, project: Project, sandbox: Sandbox
) -> None:
    """Before the address was known, and after the source takes it out again."""
    put(sandbox, "a_1", contact_name="Canary", notes="canary before")
    assert cli("sync").code == 0
    put(sandbox, "a_1", 1, contact_name="Canary", contact_email="canary@example.net")
    assert cli("sync", "--full").code == 0
    assert cli("forget", *PERSON, "--yes").code == 0
    put(sandbox, "a_1", 2, contact_name="Canary", notes="canary after")
    assert cli("sync", "--full").code == 0
    assert found_in(project) == []
    put(sandbox, "a_1", 3, contact_name="Kim Porter", contact_email="kim@example.org")
    assert cli("sync", "--full").code == 0
    assert row(cli, "a_1", "contact_name") == {"contact_name": "Kim Porter"}


def test_a_source_that_is_configured_no_more(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    """Its records are forgotten here; a sink that holds them is for a person."""
    former = dict(project.source) | {"fields": {"appointments": {"contact_name": "kunde"}}}
    project.settings["sources"]["former"] = former
    project.save()
    put(sandbox, "a_1", kunde="Canary Jo", contact_email="canary@example.net")
    assert cli("sync").code == 0
    del project.settings["sources"]["former"]
    project.save()
    ended = cli("forget", *PERSON, "--yes")
    assert ended.code == 3
    assert "appointments of former" in ended.out
    assert "state.db" not in found_in(project)
    assert cli("sync").code == 0


def test_who_reads_the_state_keeps_nobody_from_syncing(
    cli: Cli, known: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(Store.open, busy_seconds=0.2)
    monkeypatch.setattr(Store, "open", impatient)
    with closing(sqlite3.connect(known.state, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchall()
        ended = cli("forget", *PERSON, "--yes")
        assert ended.code == 1
        assert "Request 1 is kept" in ended.err
        assert cli("sync").code == 3
    assert found_in(known) != []
    cli("sync")
    assert found_in(known) == []


def test_by_the_record(cli: Cli, known: Project) -> None:
    """Someone without address or number is known by their appointments."""
    assert cli("forget", "--id", "a_other", "--yes").code == 0
    assert row(cli, "a_other", "contact_name", "contact_email") == {
        "contact_name": None,
        "contact_email": None,
    }
    assert row(cli, "a_mail", "contact_name") == {"contact_name": "Canary One"}


def test_a_sink_that_is_away_does_it_later(cli: Cli, known: Project) -> None:
    assert cli("pause", "files").code == 0
    ended = cli("forget", *PERSON, "--yes")
    assert ended.code == 3
    assert "sink files: pending" in ended.out
    assert "appointments.csv" in found_in(known)
    assert cli("resume", "files").code == 0
    cli("sync")
    assert found_in(known) == []
    assert cli("forget", "--receipts").code == 0


def test_a_sink_of_former_times_is_for_a_person(cli: Cli, known: Project) -> None:
    del known.sinks["files"]
    known.save()
    ended = cli("forget", *PERSON, "--yes")
    assert ended.code == 3
    assert "sink files: by hand" in ended.out
    assert "1 request to forget someone left something for you" in cli("status").out
    assert cli("forget", "--done", "1").code == 0
    assert "forget someone" not in cli("status").out
    assert cli("forget", "--done", "1").code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Whom to forget"),
        (("--email", "nobody"), "no e-mail address"),
        (("--phone", "12"), "no telephone number"),
        (("--id", " "), "names no record"),
        (("--id", "a_nobody"), "There is no 'a_nobody' among the appointments"),
    ],
    ids=["nobody", "email", "phone", "id", "no such record"],
)
def test_mistakes(cli: Cli, arguments: tuple[str, ...], told: str) -> None:
    ended = cli("forget", *arguments, "--yes")
    assert ended.code == 2
    assert told in ended.err


def test_nobody_to_confirm(cli: Cli) -> None:
    ended = cli("forget", "--email", "canary@example.net")
    assert ended.code == 2
    assert "--yes" in ended.err


def test_a_backup_does_not_bring_them_back(cli: Cli, known: Project) -> None:
    backup = str(known.folder / "copy.db")
    assert cli("state", "backup", backup).code == 0
    assert cli("forget", *PERSON, "--yes").code == 0
    ended = cli("state", "restore", backup)
    assert ended.code == 0, ended.err
    assert "will be forgotten again" in ended.out
    assert "state.db" in found_in(known)
    cli("sync")
    for copy in known.folder.glob("var/state.db.before-restore-*"):
        copy.unlink()
    assert "state.db" not in found_in(known)
    for sink in ("analytics", "files"):
        assert cli("resume", sink).code == 0
    cli("sync")
    assert found_in(known) == []


def test_before_the_first_sync(cli: Cli, project: Project, sandbox: Sandbox) -> None:
    """Who asks early is never stored at all."""
    assert cli("forget", *PERSON, "--yes").code == 0
    put(sandbox, "a_mail", **RECORDS["a_mail"])
    assert cli("sync").code == 0
    assert found_in(project) == []
    assert Path(project.state).exists()
