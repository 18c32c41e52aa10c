"""`zimun-sync export`: a private copy of what the state holds."""

import csv
import json
import stat
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from tests.acceptance.program import Project
from tests.query.conftest import ROWS, Cli
from zimun_sync.model import STREAMS
from zimun_sync.querying.export import export
from zimun_sync.sandbox import Sandbox
from zimun_sync.sinks import StoredChange
from zimun_sync.store import Store
from zimun_sync.tables import arrow_schema

#: What the source pulls, and what is made of it.
FILES = [name for name in STREAMS if name not in {"holidays", "availability"}]


def test_every_stream_becomes_a_file_for_its_owner(
    synced: Cli, project: Project, sandbox: Sandbox
) -> None:
    sandbox.observed.reset()
    ended = synced("export", "--to", "copy/today")
    assert ended.code == 0
    assert sum(sandbox.observed.report()["requests"].values()) == 0
    folder = project.folder / "copy/today"
    assert {each.name for each in folder.iterdir()} == {f"{name}.csv" for name in FILES}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
    assert f"copy/today/appointments.csv  {ROWS}" in ended.out
    with (folder / "appointments.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["appointment_id"] for row in rows}) == len(rows) == ROWS


def test_parquet_has_the_columns_and_types_of_batches(synced: Cli, project: Project) -> None:
    assert synced("export", "--to", "copy", "--format", "parquet").code == 0
    for name in FILES:
        found = pq.read_table(project.folder / f"copy/{name}.parquet")
        assert found.schema.equals(arrow_schema(STREAMS[name]))
    columns = "appointment_id, starts_at, local_start, price_amount, extra::VARCHAR, _seq"
    sql = "SELECT {} FROM {} ORDER BY ALL"
    ours, theirs = (
        synced("query", sql.format(columns, table), "--format", "csv").out
        for table in ("appointments", "'copy/appointments.parquet'")
    )
    assert ours == theirs
    assert len(ours.splitlines()) == ROWS + 1


def test_json_lines_hold_documents_as_such(synced: Cli, project: Project) -> None:
    arguments = ("export", "--to", "copy", "--format", "jsonl", "--stream", "services")
    assert synced(*arguments).code == 0
    assert [each.name for each in (project.folder / "copy").iterdir()] == ["services.jsonl"]
    lines = (project.folder / "copy/services.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(line)["location_ids"], list) for line in lines)


def test_the_same_content_gives_the_same_bytes(synced: Cli, project: Project) -> None:
    for folder in ("one", "two"):
        synced("export", "--to", folder, "--format", "parquet")
    for name in FILES:
        one, two = (project.folder / f"{each}/{name}.parquet" for each in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_sources_share_a_file_and_are_told_apart(
    cli: Cli, project: Project, sandbox: Sandbox
) -> None:
    project.settings["sources"]["other"] = project.source | {"page_size": 20}
    project.save()
    assert cli("sync").code == 0
    cli("export", "--to", "copy", "--format", "parquet", "--stream", "staff")
    sources = pq.read_table(project.folder / "copy/staff.parquet")["_source"].to_pylist()
    assert sources.count("main") == sources.count("other") == len(sources) / 2 > 0


def test_nothing_stored_gives_files_without_rows(cli: Cli, project: Project) -> None:
    assert cli("export", "--to", "copy", "--format", "parquet").code == 0
    assert pq.read_table(project.folder / "copy/appointments.parquet").num_rows == 0


def test_deleted_records_are_left_out(synced: Cli, project: Project, sandbox: Sandbox) -> None:
    gone = json.loads(sandbox.world.appointments.window(0, 1).items[0])["appointment_id"]
    sandbox.world.remove_appointment(gone)
    assert synced("sync", "--full").code == 0
    synced("export", "--to", "copy", "--format", "parquet", "--stream", "appointments")
    found = pq.read_table(project.folder / "copy/appointments.parquet")["appointment_id"]
    assert len(found) == ROWS - 1
    assert gone not in found.to_pylist()


def test_records_that_change_meanwhile_are_there_once(
    synced: Cli, project: Project, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change moves its record to the feed's end, where a walk would miss or double it."""
    monkeypatch.setattr("zimun_sync.querying.export._AT_ONCE", 7)
    with Store.open(project.settings["state"], project.folder) as store:
        read = store.feed.present

        def meddling(source: str, stream: str, keys: list[str]) -> list[StoredChange]:
            if len(changed) < 2:
                changed.append(_lengthen(sandbox, 10 + len(changed)))
                assert project.sync().code == 0
            return read(source, stream, keys)

        changed: list[int] = []
        monkeypatch.setattr(store.feed, "present", meddling)
        (made,) = export(store, {"main": ["appointments"]}, project.folder / "copy", "parquet")
    found = pq.read_table(made.path)["appointment_id"].to_pylist()
    assert len(found) == len(set(found)) == made.records == ROWS


def _lengthen(sandbox: Sandbox, minutes: int) -> int:
    for item in sandbox.world.appointments.window(0, ROWS).items:
        record = json.loads(item)
        record |= {"appointment_duration": minutes, "updated_at": datetime.now(UTC).isoformat()}
        sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())
    return minutes


def test_mistakes_are_told(synced: Cli, project: Project) -> None:
    wrong = synced("export", "--to", "copy", "--stream", "nope")
    assert (wrong.code, "There is no stream named 'nope'" in wrong.err) == (2, True)
    (project.folder / "taken").write_text("a file")
    assert synced("export", "--to", "taken").code == 1
    (project.folder / "copy/appointments.csv").mkdir(parents=True)
    ended = synced("export", "--to", "copy", "--stream", "appointments")
    assert (ended.code, "is not a file" in ended.err) == (2, True)
