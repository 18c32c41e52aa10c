"""The first day of a CRM with the engine of remote systems: announced, written, compared."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli
from zimun_sync import sinks
from zimun_sync.testing.remotes.pocket import PocketCrm, PocketDesk


@pytest.fixture
def desk(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[PocketDesk]:
    """The CRM that the project writes to, as people see it."""
    name = "zimun_sync.testing.remotes.pocket.connector:connector"
    made = EntryPoint("pocket", name, sinks.ENTRY_POINT_GROUP)
    installed = list(entry_points(group=sinks.ENTRY_POINT_GROUP))
    monkeypatch.setattr(sinks, "entry_points", lambda **_: [*installed, made])
    del project.sinks["analytics"]
    project.sinks["crm"] = {"type": "pocket", "path": "crm.sqlite", "start_from": "all"}
    project.save()
    crm = PocketCrm(Path(project.folder / "crm.sqlite"))
    yield PocketDesk(crm)
    crm.close()


@pytest.fixture
def active(cli: Cli, desk: PocketDesk) -> dict[str, Any]:
    """Stored, announced and written; what was announced."""
    assert cli("sync").code == 3
    assert (desk.writes(), desk.contacts()) == (0, [])
    announced = cli("sinks", "activate", "crm", "--yes", "--json")
    assert desk.writes() == 0
    assert cli("sync").code in {0, 3}
    return dict(announced.json)


def dry_run(cli: Cli) -> dict[str, Any]:
    ended = cli("sync", "--dry-run", "--json", "--sink", "crm")
    assert ended.code == 0
    return dict(ended.json["sinks"]["crm"])


def test_exactly_what_was_announced_is_written(
    cli: Cli, desk: PocketDesk, active: dict[str, Any]
) -> None:
    assert active["contact"]["create"] == len(desk.contacts()) > 0
    assert active["appointment"]["create"] == len(desk.appointments()) > 0
    left_out = sum(each["changes"] for each in active["skipped"] + active["rejected"])
    assert len(desk.appointments()) + left_out == active["changes"] == ROWS
    remembered = cli("sinks", "list", "--json").json["crm"]["remembered"]
    assert remembered["appointment"] == {"linked": len(desk.appointments())}


def test_afterwards_nothing_is_left_to_write(
    cli: Cli, desk: PocketDesk, active: dict[str, Any]
) -> None:
    before = desk.writes()
    cli("sync")
    assert desk.writes() == before
    shown = dry_run(cli)
    assert (shown["pending"]["differences"], shown["pending"]["changes"]) == ([], 0)
    differing = [each for each in shown["taken"]["differences"] if each["action"] != "reject"]
    assert differing == []


def test_a_dry_run_prints_exactly_what_differs_and_writes_nothing(
    cli: Cli, desk: PocketDesk, active: dict[str, Any]
) -> None:
    booked = [each for each in desk.appointments() if each.fields["status"] == "booked"]
    chosen = booked[0] if booked else desk.appointments()[0]
    desk.edit("appointment", chosen.id, status="no_show", title="Edited by hand")
    before = desk.writes()
    taken = dry_run(cli)["taken"]["differences"]
    (difference,) = [each for each in taken if each["action"] != "reject"]
    assert (difference["action"], difference["remote_id"]) == ("update", chosen.id)
    (field,) = difference["fields"]
    assert (field["name"], field["present"]) == ("status", "no_show")
    assert field["wanted"] == chosen.fields["status"]
    assert desk.writes() == before


def test_another_account_is_refused_and_named(
    cli: Cli, desk: PocketDesk, active: dict[str, Any]
) -> None:
    former = cli("sinks", "list", "--json").json["crm"]["account"]
    desk.swap_account("somebody-elses")
    ended = cli("check")
    assert ended.code == 1
    assert "somebody-elses" in ended.out
    assert former in ended.out
    cli("replay", "crm")
    before = desk.writes()
    ended = cli("sync", "--json")
    assert ended.json["sinks"]["crm"]["state"] == "parked"
    assert former in ended.json["sinks"]["crm"]["reason"]
    assert desk.writes() == before
