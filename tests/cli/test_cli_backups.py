"""`zimun-sync state`: info, backup, restore, and what a sync does after a restore."""

import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance import contents
from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli
from zimun_sync.errors import ConfigError
from zimun_sync.pipeline.adopt import Adoption
from zimun_sync.sandbox import Sandbox
from zimun_sync.sinks import Batch, SinkContext, WriteResult
from zimun_sync.store import ParkKind, Store


@pytest.fixture
def backup(cli: Cli, project: Project) -> Path:
    """A backup that was made after a first sync."""
    assert cli("sync").code == 0
    ended = cli("state", "backup", "monday.db", "--json")
    assert ended.code == 0
    assert ended.json["size_bytes"] == (project.folder / "monday.db").stat().st_size
    return project.folder / "monday.db"


def test_a_backup_says_where_it_is_and_is_private(cli: Cli, project: Project) -> None:
    assert cli("sync").code == 0
    ended = cli("state", "backup", "monday.db")
    assert ended.out.startswith("Backed up to monday.db: ")
    assert stat.S_IMODE((project.folder / "monday.db").stat().st_mode) == 0o600


def test_a_backup_replaces_nothing_unasked(cli: Cli, backup: Path) -> None:
    refused = cli("state", "backup", str(backup))
    assert refused.code == 2
    assert "is there already" in refused.err
    assert "--force" in refused.err
    assert cli("state", "backup", str(backup), "--force").code == 0


def test_a_backup_is_no_stream(cli: Cli, project: Project) -> None:
    assert cli("state", "backup", "-").code == 2
    assert not (project.folder / "-").exists()


def test_without_a_state_there_is_nothing_to_back_up(cli: Cli, project: Project) -> None:
    assert cli("state", "backup", "monday.db").code == 1
    assert cli("state", "info").code == 1
    assert not project.state.exists()


def test_info_for_programs_and_for_people(cli: Cli, project: Project, backup: Path) -> None:
    found = cli("state", "info", "--json").json
    assert found["state"] == str(project.state)
    assert found["schema"] == found["newest_schema"]
    assert found["size_bytes"] > 10_000
    assert found["created_at"] < found["as_of"]
    assert (found["leases"], found["copies"]) == ([], [])
    shown = cli("state", "info").out
    assert found["store_id"] in shown
    assert str(project.state) in shown


def test_info_tells_who_works_on_the_state(cli: Cli, project: Project, backup: Path) -> None:
    with Store.open(f"sqlite:///{project.state}", project.folder) as store:
        store.leases.acquire("source:main")
        [lease] = cli("state", "info", "--json").json["leases"]
        assert (lease["name"], lease["pid"]) == ("source:main", os.getpid())
        assert f"in use: source:main: process {os.getpid()}" in cli("state", "info").out


def test_nothing_is_restored_under_a_process_that_works(
    cli: Cli, project: Project, backup: Path
) -> None:
    with Store.open(f"sqlite:///{project.state}", project.folder) as store:
        store.leases.acquire("source:main")
        refused = cli("state", "restore", str(backup))
    assert refused.code == 1
    assert f"process {os.getpid()}" in refused.err


def change_first(sandbox: Sandbox) -> None:
    record = json.loads(sandbox.world.appointments.window(0, 1).items[0])
    record |= {"notes": "after the backup", "updated_at": datetime.now(UTC).isoformat()}
    sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())


def test_after_a_restore_sinks_wait_until_they_were_looked_at(
    cli: Cli, project: Project, sandbox: Sandbox, backup: Path
) -> None:
    """The steps of docs/operations.md, from the backup to a state that is true again."""
    change_first(sandbox)
    assert cli("sync").code == 0
    truth = contents.of_source(sandbox.control_url)
    published = (project.csv / "appointments.csv").stat()

    restored = cli("state", "restore", str(backup))
    assert restored.code == 0
    assert "Parked until you have looked: analytics, files" in restored.out
    assert ".before-restore-" in restored.out

    ended = cli("sync", "--json")
    assert (ended.code, ended.json["status"]) == (3, "partial")
    assert {each["state"] for each in ended.json["sinks"].values()} == {"parked"}
    assert {each["applied"] for each in ended.json["sinks"].values()} == {0}
    assert (project.csv / "appointments.csv").stat() == published

    for sink in project.sinks:
        adopted = cli("adopt", sink, "--yes")
        assert adopted.code == 0
        assert f"main/appointments: {ROWS} the same" in adopted.out
    ended = cli("sync", "--json")
    assert (ended.code, ended.json["status"]) == (0, "succeeded")
    assert ended.json["sinks"]["files"]["applied"] == 1  # a version that was learnt anew
    assert contents.of_csv(project.csv) == truth
    assert contents.of_duckdb(project.database) == truth


def test_a_restore_for_programs(cli: Cli, project: Project, backup: Path) -> None:
    done = cli("state", "restore", str(backup), "--json").json
    assert done["state"] == str(project.state)
    assert Path(done["former_state"]).is_file()
    assert done["parked"] == ["analytics", "files"]
    assert done["superseded_runs"] == 0
    assert [copy["file"] for copy in cli("state", "info", "--json").json["copies"]] == [
        done["former_state"]
    ]


def test_postgres_is_told_its_own_tools(cli: Cli, project: Project) -> None:
    project.settings["state"] = "postgresql://someone@127.0.0.1:1/zimun"
    project.save()
    for arguments in (("backup", "x.db"), ("restore", "x.db")):
        ended = cli("state", *arguments)
        assert ended.code == 2
        assert "pg_" in ended.err


class Crm:
    """A sink that does not record which state fills it."""

    def open(self, context: SinkContext) -> None:
        assert context.adopting

    def write(self, batch: Batch, /) -> WriteResult:
        raise AssertionError(batch)

    def close(self) -> None:
        """Nothing was held."""


def test_a_sink_that_remembers_no_state_is_let_go_on_after_a_restore(tmp_path: Path) -> None:
    with Store.open("sqlite:///state.db", tmp_path) as store:
        with pytest.raises(ConfigError, match="does not record"), Adoption(store, "crm", Crm()):
            pass
        store.deliveries.park("crm", ParkKind.RESTORED, "It was restored.", "Look.")
        with Adoption(store, "crm", Crm()) as adoption:
            assert list(adoption.compare({"main": ["services"]})) == []
            adoption.adopt({"main": ["services"]})
        assert store.deliveries.parked() == {}
