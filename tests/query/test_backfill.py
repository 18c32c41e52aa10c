"""`zimun-sync backfill`: a sink is filled from the store, and the API is asked for nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

import pytest

from tests.acceptance.program import Project
from tests.query.conftest import ROWS, Cli
from zimun_sync import sinks
from zimun_sync.sandbox import Sandbox
from zimun_sync.store import Store


@pytest.fixture
def second(synced: Cli, project: Project) -> Cli:
    """A second database that nothing was delivered to yet."""
    project.sinks["second"] = {"type": "duckdb", "path": "var/second.duckdb"}
    project.save()
    return synced


def bookings(cli: Cli, sink: str) -> str:
    sql = "SELECT count(*) AS n, bit_xor(hash(appointments)) AS content FROM appointments"
    return cli("query", sql, "--sink", sink, "--format", "csv").out


def test_a_new_sink_is_filled_without_one_request(second: Cli, sandbox: Sandbox) -> None:
    sandbox.observed.reset()
    ended = second("backfill", "--sink", "second", "--json")
    assert ended.code == 0
    sink = ended.json["sinks"]["second"]
    assert (sink["state"], sink["lag"]["changes"]) == ("current", 0)
    assert sink["applied"] > ROWS
    assert sum(sandbox.observed.report()["requests"].values()) == 0
    assert bookings(second, "second") == bookings(second, "analytics") != ""


def test_a_second_backfill_has_nothing_to_do(second: Cli) -> None:
    assert second("backfill", "--sink", "second").code == 0
    ended = second("backfill", "--sink", "second")
    assert "second: 0 applied, 0 unchanged, 0 rejected, 0 skipped, 0 behind; current" in ended.out


def test_a_sink_that_lags_catches_up(second: Cli) -> None:
    assert second("pause", "second").code == 0
    assert second("sync").code == 3
    behind = second("backfill", "--sink", "second", "--json")
    assert (behind.code, behind.json["sinks"]["second"]["state"]) == (3, "parked")
    assert second("resume", "second").code == 0
    assert second("backfill", "--sink", "second").code == 0
    assert bookings(second, "second") == bookings(second, "analytics")


def test_one_that_is_being_delivered_to_is_left_alone(second: Cli, project: Project) -> None:
    with delivering(project, "second"):
        ended = second("backfill", "--sink", "second")
    assert (ended.code, ended.out) == (1, "")
    assert "Sink second is being delivered to: 'sink:second' is being worked on by" in ended.err
    assert "sinks show second" in ended.err


@contextmanager
def delivering(project: Project, name: str) -> Iterator[None]:
    """A living process works on that sink."""
    with Store.open(project.settings["state"], project.folder) as store:
        lease = store.leases.acquire(f"sink:{name}")
        try:
            yield
        finally:
            store.leases.release(lease)


def test_a_wrong_sink_is_told_before_anything_is_written(synced: Cli, project: Project) -> None:
    assert synced("backfill", "--sink", "nope").code == 2
    (project.folder / "other.duckdb").write_text("not a database")
    project.sinks["other"] = {"type": "duckdb", "path": "other.duckdb"}
    project.save()
    ended = synced("backfill", "--sink", "other")
    assert (ended.code, "sinks.other" in ended.err) == (2, True)
    assert (project.folder / "other.duckdb").read_text() == "not a database"


def test_a_remote_sink_has_to_be_activated_first(
    synced: Cli, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "zimun_sync.testing.remotes.pocket.connector:connector"
    made = EntryPoint("pocket", name, sinks.ENTRY_POINT_GROUP)
    installed = list(entry_points(group=sinks.ENTRY_POINT_GROUP))
    monkeypatch.setattr(sinks, "entry_points", lambda **_: [*installed, made])
    project.sinks["crm"] = {"type": "pocket", "path": "crm.sqlite", "start_from": "all"}
    project.save()
    ended = synced("backfill", "--sink", "crm")
    assert ended.code == 2
    assert "Sink crm: It writes nothing until it is activated." in ended.err
    assert "zimun-sync sinks activate crm" in ended.err
    assert synced("sinks", "activate", "crm", "--yes").code == 0
    assert synced("backfill", "--sink", "crm").code in {0, 3}
    assert synced("sinks", "list", "--json").json["crm"]["remembered"]["appointment"]["linked"] > 0
