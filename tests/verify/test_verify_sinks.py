"""`zimun-sync verify`: what was changed in a sink by hand is named, each record, and mended."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

import pytest

from tests.acceptance.program import Project
from tests.thorough import times
from tests.verify.conftest import (
    ROWS,
    Cli,
    change_csv,
    change_database,
    change_state,
    content,
    csv_text,
    drop_lines,
    fault,
    keys,
    keys_of_rows,
    opened,
    present,
    put,
    told,
)
from zimun_sync import sinks
from zimun_sync.sandbox import Sandbox
from zimun_sync.sinks import Rejection
from zimun_sync.store import Delivered, Place

DUCKDB = "analytics"
READERS = "as readers see it"
CSV = "files"


def test_all_is_equal_and_nothing_is_changed(
    synced: Cli, project: Project, sandbox: Sandbox
) -> None:
    before, state = content(project), synced("status", "--json").json["sinks"]
    ended = synced("verify", "--json")
    assert (ended.code, ended.json["status"]) == (0, "equal")
    for found in ended.json["sources"], *(sink["streams"] for sink in ended.json["sinks"].values()):
        assert {each["stream"]: each["same"] for each in found}["appointments"] == ROWS
        assert all(not each["counts"] for each in found)
    assert synced("verify").out.splitlines()[-1] == "Everything that was compared is equal."
    assert content(project) == before
    assert synced("status", "--json").json["sinks"] == state


def test_rows_of_a_database(kept: Cli, project: Project) -> None:
    before = content(project)
    lost, changed, cleared, doubled, copied, *_ = keys_of_rows(project)
    change_database(
        project,
        f"DELETE FROM appointments WHERE appointment_id = '{lost}'",
        f"UPDATE appointments SET status = 'nonsense', notes = 'by hand' "
        f"WHERE appointment_id = '{changed}'",
        f"UPDATE appointments SET starts_at = NULL WHERE appointment_id = '{cleared}'",
        f"INSERT INTO appointments FROM appointments WHERE appointment_id = '{doubled}'",
        f"INSERT INTO appointments SELECT * REPLACE ('by_hand' AS appointment_id) "
        f"FROM appointments WHERE appointment_id = '{copied}'",
        "INSERT INTO appointments (appointment_id, _source) VALUES ('bare', 'main')",
    )
    ended = kept("verify", "--sink", DUCKDB, "--json")
    assert ended.code == 3
    assert told(ended) == {
        fault(DUCKDB, lost, "missing-in-sink"),
        fault(DUCKDB, changed, "differs-in-sink", "status, notes"),
        fault(DUCKDB, cleared, "differs-in-sink", "starts_at"),
        fault(DUCKDB, doubled, "differs-in-sink", "stands there more than once"),
        fault(DUCKDB, "by_hand", "only-in-sink", "unknown to the store"),
        fault(DUCKDB, "bare", "only-in-sink", "unknown to the store"),
    }
    mended = kept("verify", "--repair", "--json")
    assert (mended.code, mended.json["repaired"]) == (0, {DUCKDB: 6})
    assert content(project) == before
    again = kept("verify", "--repair", "--json")
    assert (again.code, again.json["repaired"]) == (0, {})


SPELLINGS: list[dict[str, str]] = [{"preset": "excel", "delimiter": ";"}, {}]


@pytest.mark.parametrize("settings", SPELLINGS[: times(1, 2)])
def test_lines_of_a_file(cli: Cli, project: Project, settings: dict[str, str]) -> None:
    project.sinks[CSV] |= settings
    del project.sinks[DUCKDB]
    project.save()
    assert cli("sync").code == 0
    before = set(csv_text(project).splitlines())
    shown: dict[int, str] = {}

    def change(lines: list[bytes]) -> list[bytes]:
        cells = [line.replace(b";", b",").split(b",")[0].decode() for line in lines]
        shown.update(enumerate(cells))
        lines[2] = lines[2].replace(b"booked", b"BOOKED").replace(b"confirmed", b"CONFIRMED")
        lines[2] = lines[2].replace(b"cancelled", b"CANCELLED").replace(b"completed", b"COMPLETED")
        extra = lines[4].replace(cells[4].encode(), b"by_hand", 1)
        return [*lines[:1], *lines[2:4], lines[3], *lines[4:], extra]

    change_csv(project, change)
    ended = cli("verify", "--sink", CSV, "--json")
    assert ended.code == 3
    found = {(key, kind): detail for _, key, kind, _, detail in told(ended)}
    assert found.pop((shown[1], "missing-in-sink")) == "as readers see it"
    assert found.pop((shown[3], "differs-in-sink")) == (
        "as readers see it: stands there more than once"
    )
    assert found.pop(("by_hand", "only-in-sink")) == "as readers see it"
    assert found.pop((shown[2], "differs-in-sink")).startswith("as readers see it: ")
    assert not found
    assert cli("verify", "--repair", "--json").json["repaired"] == {CSV: 4}
    assert set(csv_text(project).splitlines()) == before


def test_a_file_that_is_gone_or_has_another_header(filed: Cli, project: Project) -> None:
    before = content(project)
    change_csv(project, lambda lines: [lines[0].replace(b"status", b"STATUS"), *lines[1:]])
    ended = filed("verify", "--no-source", "--json")
    assert (ended.code, [each[4] for each in told(ended)]) == (3, ["as readers see it: the header"])
    (project.csv / "appointments.csv").unlink()
    ended = filed("verify", "--no-source", "--json")
    assert {each[2] for each in told(ended)} == {"missing-in-sink"}
    assert len(told(ended)) == ROWS
    assert filed("verify", "--no-source", "--repair").code == 0
    assert content(project) == before


def test_many_are_counted_and_some_are_named(filed: Cli, project: Project) -> None:
    change_csv(project, lambda lines: lines[:1])
    ended = filed("verify", "--no-source")
    assert ended.code == 3
    named = [line for line in ended.out.splitlines() if line.startswith("  files ")]
    assert len(named) == 20
    assert f"{ROWS} missing-in-sink" in ended.out
    assert f"{ROWS - 20} more: `--all` or `--json` names them." in ended.out
    assert "`zimun-sync verify --repair` delivers it again." in ended.out
    every = filed("verify", "--no-source", "--all").out
    assert sum(line.startswith("  files ") for line in every.splitlines()) == ROWS


# -- reasons ----------------------------------------------------------------------------------


def test_what_is_on_its_way_is_no_fault(filed: Cli, project: Project) -> None:
    lost = keys(project)[0]
    drop_lines(project, lost)
    assert filed("replay", CSV, "--from", "2020-01-01").code == 0
    ended = filed("verify", "--sink", CSV, "--json")
    assert told(ended) == {(CSV, lost, "missing-in-sink", "waiting", READERS)}
    assert (ended.code, ended.json["sinks"][CSV]["state"]) == (0, "behind")


def test_a_parked_sink_is_compared_and_needs_a_look(
    filed: Cli, project: Project, sandbox: Sandbox
) -> None:
    assert filed("pause", CSV).code == 0
    key = put(sandbox, present(sandbox), notes="moved")
    assert filed("sync").code == 3
    ended = filed("verify", "--json")
    assert (CSV, key, "differs-in-sink", "waiting", "content") in told(ended)
    assert (ended.code, ended.json["sinks"][CSV]["state"]) == (3, "parked")
    assert "resume files" in ended.json["sinks"][CSV]["hint"]


def test_what_was_rejected_is_told_with_its_code(filed: Cli, project: Project) -> None:
    lost, dropped = keys(project)[:2]
    drop_lines(project, lost, dropped)
    for key in lost, dropped:
        reject(project, key)
    entry = filed("quarantine", "list", "--json").json[-1]
    assert filed("quarantine", "drop", str(entry["id"])).code == 0
    ended = filed("verify", "--no-source", "--json")
    assert ended.code == 3
    assert told(ended) == {
        (CSV, lost, "missing-in-sink", "quarantine", "bad-value"),
        (CSV, dropped, "missing-in-sink", "dropped", "bad-value"),
    }
    assert filed("verify", "--no-source", "--repair", "--json").json["repaired"] == {}


def reject(project: Project, key: str) -> None:
    """Let the DuckDB sink have refused a record."""
    place = Place(CSV, "main", "appointments")
    with opened(project) as store:
        change = store.feed.present("main", "appointments", [key])[0]
        lease = store.leases.acquire(f"sink:{CSV}")
        fingerprint = fingerprint_of_appointments(project)
        offset = store.deliveries.offset(place, fingerprint)
        refused = Delivered(offset, [], [Rejection(key, "bad-value", "No.")], change.run_id)
        assert store.deliveries.record(lease, place, fingerprint, refused, began_at=offset)
        store.leases.release(lease)


def fingerprint_of_appointments(project: Project) -> str:
    import sqlite3

    with sqlite3.connect(project.state) as connection:
        query = "SELECT fingerprint FROM offsets WHERE sink = ? AND stream = 'appointments'"
        [(found,)] = connection.execute(query, [CSV]).fetchall()
    return str(found)


def test_versions_past_their_time_stay_in_sinks(
    filed: Cli, project: Project, sandbox: Sandbox
) -> None:
    for note in "first", "second", "third":
        put(sandbox, present(sandbox), notes=note)
        assert filed("sync", "--full").code == 0
    change_state(
        project,
        "DELETE FROM history WHERE since < (SELECT max(since) FROM history)",
        "UPDATE history SET pruned = 1",
    )
    ended = filed("verify", "--no-source", "--json")
    assert {(kind, why) for _, _, kind, why, _ in told(ended)} == {("only-in-sink", "retired")}
    assert ended.code == 0
    assert filed("verify", "--no-source", "--repair", "--json").json["repaired"] == {}


def test_a_lost_version_is_delivered_again(filed: Cli, project: Project, sandbox: Sandbox) -> None:
    put(sandbox, present(sandbox), notes="moved")
    assert filed("sync").code == 0
    change_csv(project, lambda lines: lines[:-1], "appointment_versions")
    ended = filed("verify", "--no-source", "--json")
    assert [(kind, why) for _, _, kind, why, _ in told(ended)] == [("missing-in-sink", "fault")]
    assert filed("verify", "--no-source", "--repair").code == 0


# -- what cannot be compared ------------------------------------------------------------------


def test_a_sink_in_use_could_not_be_compared(filed: Cli, project: Project) -> None:
    with delivering(project, CSV):
        ended = filed("verify", "--no-source", "--json")
    assert (ended.code, ended.json["status"]) == (1, "failed")
    (stream,) = ended.json["sinks"][CSV]["streams"]
    assert "Sink files is being delivered to" in stream["failed"]


@contextmanager
def delivering(project: Project, name: str) -> Iterator[None]:
    """A living process works on that sink."""
    with opened(project) as store:
        lease = store.leases.acquire(f"sink:{name}")
        try:
            yield
        finally:
            store.leases.release(lease)


def test_remote_and_new_sinks_are_left_out(
    filed: Cli, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "zimun_sync.testing.remotes.pocket.connector:connector"
    made = EntryPoint("pocket", name, sinks.ENTRY_POINT_GROUP)
    installed = list(entry_points(group=sinks.ENTRY_POINT_GROUP))
    monkeypatch.setattr(sinks, "entry_points", lambda **_: [*installed, made])
    project.sinks["crm"] = {"type": "pocket", "path": "crm.sqlite", "start_from": "all"}
    project.sinks["new"] = {"type": "csv", "path": "var/new"}
    project.save()
    ended = filed("verify", "--no-source")
    assert "crm: not compared: a remote system: `zimun-sync sync --dry-run --sink crm`" in ended.out
    assert "new: not compared: everything is yet to be delivered to it." in ended.out
    assert not (project.folder / "var/new").exists()
    refused = filed("reset", "crm", "--yes")
    assert (refused.code, "nothing is deleted there" in refused.err) == (2, True)


def test_wrong_names(filed: Cli) -> None:
    assert filed("verify", "--sink", "nope").code == 2
    assert filed("verify", "--source", "nope").code == 2
    assert filed("reset", "nope", "--yes").code == 2


# -- repairing --------------------------------------------------------------------------------


def first_key(project: Project) -> str:
    """Of the first line that readers of CSV find."""
    return csv_text(project).splitlines()[1].split(",")[0]


def test_a_repair_that_was_killed_is_finished_by_the_next_delivery(
    filed: Cli, project: Project
) -> None:
    before, changed = content(project), first_key(project)
    change_csv(
        project,
        lambda lines: [lines[0], *lines[2:], lines[1].replace(changed.encode(), b"bare", 1)],
    )
    with opened(project) as store:  # as far as `--repair` comes before anything is delivered
        store.redeliveries.ask(Place(CSV, "main", "appointments"), [changed, "bare"])
    waiting = filed("verify", "--no-source", "--json")
    again = "it was to be delivered again, and has not been yet"
    assert told(waiting) == {
        fault(CSV, changed, "missing-in-sink", again),
        fault(CSV, "bare", "only-in-sink", again),
    }
    assert waiting.code == 3
    ended = filed("sync", "--json")
    assert (ended.code, ended.json["sinks"][CSV]["applied"]) == (0, 1)
    assert filed("verify").code == 0
    assert content(project) == before
    assert filed("quarantine", "list", "--json").json == []


def test_a_policy_and_a_promoted_column_are_what_a_sink_should_hold(
    synced: Cli, project: Project
) -> None:
    project.sinks[CSV]["privacy"] = {"personal": "mask"}
    project.sinks[DUCKDB]["privacy"] = {"personal": "drop"}
    project.source["promote"] = {"appointments": {"channel": {"type": "text"}}}
    project.save()
    assert synced("sync").code == 0
    assert synced("verify", "--json").json["status"] == "equal"
    key = keys(project)[0]
    change_database(
        project, f"UPDATE appointments SET contact_name = 'x' WHERE appointment_id = '{key}'"
    )
    found = told(synced("verify", "--no-source", "--json"))
    assert found == {fault(DUCKDB, key, "differs-in-sink", "contact_name")}
