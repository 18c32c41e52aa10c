"""`zimun-sync fields`: what a source gives that has no column, and the lines that promote it."""

import csv
import json
from pathlib import Path

import yaml

from tests.acceptance.program import Project
from tests.cli.conftest import Cli


def promoting(project: Project, shown: str) -> None:
    """Paste the lines that the command shows into the configuration."""
    lines = shown.partition("take what you need of this:")[2]
    project.source["promote"] = yaml.safe_load(lines)["sources"]["main"]["promote"]
    project.save()


def header(project: Project) -> list[str]:
    with (project.csv / "appointments.csv").open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def test_before_the_first_sync_nothing_is_known(cli: Cli) -> None:
    assert "Every field that the sources gave so far has a column." in cli("fields").out
    assert cli("fields", "--json").json == []


def test_from_the_list_to_the_columns(cli: Cli, project: Project) -> None:
    assert cli("sync").code == 0
    listed = {each["field"]: each for each in cli("fields", "--json").json}
    assert {"booking_code", "attendance", "rsvp"} <= set(listed)
    assert listed["booking_code"] == {
        "source": "main",
        "stream": "appointments",
        "field": "booking_code",
        "json_types": ["string"],
        "suggested": "text",
        "since": listed["booking_code"]["since"],
        "column": None,
    }
    shown = cli("fields").out
    assert "booking_code" in shown.partition("To make columns")[0]

    promoting(project, shown)
    ended = cli("sync")
    assert ended.code == 0, ended.err
    assert {"booking_code", "attendance", "rsvp"} <= set(header(project))
    after = {each["field"]: each["column"] for each in cli("fields", "--json").json}
    assert after["booking_code"] == "booking_code"
    assert "To make columns" not in cli("fields").out


def test_the_values_are_those_of_extra(cli: Cli, project: Project, tmp_path: Path) -> None:
    assert cli("sync").code == 0
    query = ("query", "--format", "json")
    before = cli(*query, "SELECT appointment_id, extra FROM appointments").json
    wanted = {
        row["appointment_id"]: json.loads(row["extra"])["booking_code"]
        if isinstance(row["extra"], str)
        else row["extra"]["booking_code"]
        for row in before
    }
    project.source["promote"] = {
        "appointments": {"code": {"field": "booking_code", "type": "text"}}
    }
    project.save()
    assert cli("sync").code == 0
    after = cli(*query, "SELECT appointment_id, code FROM appointments").json
    assert {row["appointment_id"]: row["code"] for row in after} == wanted
    assert cli("export", "--to", str(tmp_path / "copy"), "--stream", "appointments").code == 0
    with (tmp_path / "copy" / "appointments.csv").open(newline="", encoding="utf-8") as file:
        copied = {row["appointment_id"]: row["code"] for row in csv.DictReader(file)}
    assert copied == wanted
    some = next(iter(wanted))
    assert cli("record", some, "--json").json[0]["row"]["code"] == wanted[some]
