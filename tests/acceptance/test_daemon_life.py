"""The daemon's life: one at a time, deletions, orders from other processes, and its end."""

import json
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import duckdb
import pytest

from tests.acceptance import contents
from tests.acceptance.asking import HTTP
from tests.acceptance.daemon import (
    Daemon,
    Shared,
    fresh_secret,
    serve_settings,
    serving,
    shared_daemon,
    until,
)
from tests.acceptance.program import PATIENCE_SECONDS, Project
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance
ROWS = 300


@pytest.fixture
def sandbox(serve: Callable[..., Sandbox]) -> Sandbox:
    return serve(appointments=ROWS)


@pytest.fixture
def project(new_project: Callable[..., Project], sandbox: Sandbox) -> Project:
    made = new_project(sandbox.base_url)
    serve_settings(made, fresh_secret())
    return made


@pytest.fixture
def daemon(project: Project) -> Iterator[Daemon]:
    """One that has pulled for the first time, and may be ended."""
    with serving(project, project.source["webhook_secrets"][0]) as running:
        running.wait_for_first_pull()
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One for all tests that leave it running, with nothing to do and no trouble."""
    with shared_daemon(tmp_path_factory.mktemp("shared"), ROWS) as found:
        yield found


def holds_the_same(shared: Shared) -> bool:
    return same_as_source(shared.project, shared.sandbox)


def same_as_source(project: Project, sandbox: Sandbox) -> bool:
    return contents.of_duckdb(project.database) == contents.of_source(sandbox.control_url)


def keys(project: Project) -> list[str]:
    with duckdb.connect(project.database, read_only=True) as connection:
        query = "SELECT appointment_id FROM appointments ORDER BY ALL"
        return [key for (key,) in connection.execute(query).fetchall()]


def notes(project: Project) -> set[str]:
    with duckdb.connect(project.database, read_only=True) as connection:
        found = connection.execute("SELECT DISTINCT notes FROM appointments").fetchall()
    return {each for (each,) in found}


def remove(sandbox: Sandbox, *gone: str) -> None:
    for key in gone:
        HTTP.delete(f"{sandbox.control_url}/appointments/{key}").raise_for_status()


def told(daemon: Daemon, event: str) -> list[dict[str, Any]]:
    """Log lines of one kind."""
    lines = (json.loads(line) for line in daemon.log().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == event]


# -- deletions --------------------------------------------------------------------------------


def test_a_removed_record_is_gone_after_the_next_complete_listing(shared: Shared) -> None:
    project = shared.project
    [gone, *_] = keys(shared.project)
    remove(shared.sandbox, gone)
    ended = project.sync()
    assert ended.code == 0, ended.err
    assert gone not in keys(shared.project)
    assert holds_the_same(shared)
    [stone, before] = project.run("record", gone, "--json").json
    assert (stone["stands"], stone["deleted"]) == (True, True)
    assert stone["row"]["deleted_at"] is not None
    assert before["row"]["deleted_at"] is None
    assert before["row"]["starts_at"] == stone["row"]["starts_at"]


def test_half_a_listing_waits_for_one_command(shared: Shared) -> None:
    project = shared.project
    everyone = keys(shared.project)
    half = len(everyone) // 2
    remove(shared.sandbox, *everyone[:half])
    ended = project.sync()
    assert ended.code == 3
    assert keys(shared.project) == everyone  # nothing was deleted
    [run] = [run for run in ended.json["runs"] if run["status"] == "needs_attention"]
    status = project.run("status")
    assert status.code == 3
    said = " ".join(status.out.split())
    assert f"lacks {half} of {len(everyone)} records. Nothing was deleted." in said
    assert f"zimun-sync approve {run['run_id']}" in said
    approved = project.run("approve", run["run_id"])
    assert (approved.code, approved.out) == (
        0,
        f"{half} appointments were gone and are deleted.\n",
    )
    until(lambda: holds_the_same(shared), "the approved records are gone")
    assert project.run("status").code == 0


def test_approving_works_without_a_daemon_too(project: Project, sandbox: Sandbox) -> None:
    assert project.sync().code == 0
    remove(sandbox, *keys(project)[: ROWS // 2])
    [run] = [run for run in project.sync().json["runs"] if run["status"] == "needs_attention"]
    assert project.run("approve", run["run_id"]).code == 0
    assert project.sync().code == 0
    assert same_as_source(project, sandbox)
    again = project.run("approve", run["run_id"])
    assert (again.code, "waits for no approval" in again.err) == (2, True)


# -- one at a time ----------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["any port", "the same port"])
def test_a_second_daemon_is_refused_with_the_name_of_the_first(shared: Shared, on: str) -> None:
    project, first = shared.project, shared.daemon
    port = 0 if on == "any port" else int(first.url.rpartition(":")[2])
    project.settings["server"] = {"port": port}
    project.save()
    second = project.run("serve")
    project.settings["server"] = {"port": 0}
    project.save()
    assert second.code == 1
    assert "This state is served already" in second.err
    assert f"process {first.process.pid} on" in second.err
    assert first.get("/readyz").status_code == 200


def test_a_daemon_that_wakes_up_past_its_lease_writes_nothing_more(
    daemon: Daemon, sandbox: Sandbox
) -> None:
    project = daemon.project
    project.settings["sync"] = {"sink_patience": 1}
    project.save()
    daemon.process.send_signal(signal.SIGSTOP)
    with sqlite3.connect(project.state, timeout=30) as connection:
        connection.execute("UPDATE leases SET expires_at = 1")  # as if its time had passed
    connection.close()
    remove(sandbox, keys(project)[0])
    with serving(project, daemon.secret) as heir:
        ended = heir.project.sync()  # its sinks are still held by the sleeper
        assert ended.json["runs"][-1]["status"] == "succeeded"
        daemon.process.send_signal(signal.SIGCONT)
        assert daemon.process.wait(PATIENCE_SECONDS) == 1
        assert "took over" in daemon.log()
        until(lambda: same_as_source(project, sandbox), "the heir delivers")
        assert heir.get("/readyz").status_code == 200


def test_after_kill_9_the_next_start_takes_over_at_once(daemon: Daemon, sandbox: Sandbox) -> None:
    daemon.process.kill()
    daemon.process.wait()
    with serving(daemon.project, daemon.secret) as heir:
        assert heir.project.sync().code == 0
        assert same_as_source(daemon.project, sandbox)


# -- orders from other processes --------------------------------------------------------------


def test_a_paused_sink_gets_nothing_until_it_is_resumed(shared: Shared) -> None:
    project, daemon = shared.project, shared.daemon
    before = keys(shared.project)
    assert project.run("pause", "analytics").code == 0
    until(lambda: daemon.status()["sinks"]["analytics"]["state"] == "paused", "the sink is paused")
    remove(shared.sandbox, before[0])
    assert project.sync().code == 3
    assert keys(shared.project) == before
    assert project.run("resume", "analytics").code == 0
    until(lambda: holds_the_same(shared), "the sink catches up")


def test_a_paused_source_applies_nothing_until_it_is_resumed(shared: Shared) -> None:
    project, daemon = shared.project, shared.daemon
    assert project.run("pause", "--source", "main").code == 0
    record = json.loads(next(iter(shared.sandbox.world.appointments.identified())))
    now = datetime.now(UTC).isoformat()
    record |= {"notes": "while it was paused", "updated_at": now}
    event = {"type": "appointment.updated", "timestamp": now, "data": record}
    changed = json.dumps(event).encode()
    assert daemon.send(changed, event_id="while-paused").status_code == 202
    assert daemon.status()["sources"]["main"]["inbox"]["waiting"] == 1
    assert project.run("resume", "--source", "main").code == 0
    until(lambda: daemon.status()["sources"]["main"]["inbox"]["waiting"] == 0, "the inbox empties")
    until(lambda: "while it was paused" in notes(project), "the event is applied")


def test_a_replay_brings_back_what_was_lost_behind_our_back(shared: Shared) -> None:
    project, daemon = shared.project, shared.daemon
    before = len(told(daemon, "batch_delivered"))
    assert project.run("replay", "files").code == 0
    until(lambda: len(told(daemon, "batch_delivered")) > before, "it is delivered again")
    assert contents.of_csv(project.csv) == contents.of_duckdb(project.database)


def test_a_retry_is_taken_up_without_a_sync(shared: Shared) -> None:
    project, daemon = shared.project, shared.daemon
    odd = json.dumps({"type": "invoice.paid", "data": {}}).encode()
    daemon.send(odd, event_id="odd")
    until(lambda: daemon.status()["in_quarantine"], "it is in quarantine")
    listing = ("quarantine", "list", "--json")
    [entry] = project.run(*listing).json
    assert project.run("quarantine", "retry", str(entry["id"])).code == 0
    until(lambda: project.run(*listing).json[0]["attempts"] == 2, "it was looked at again")
    assert project.run("quarantine", "drop", str(entry["id"])).code == 0


def test_a_reload_adds_a_sink_and_a_mistake_changes_nothing(shared: Shared) -> None:
    project, daemon = shared.project, shared.daemon
    project.sinks["second"] = {"type": "csv", "path": "var/second"}
    project.save()
    ended = project.run("config", "reload")
    assert ended.code == 0, ended.err
    truth = contents.of_source(shared.sandbox.control_url)
    until(lambda: _csv(project.folder / "var/second") == truth, "the new sink is filled")
    project.settings["server"]["port"] = 1
    project.save()
    refused = project.run("config", "reload")
    project.settings["server"]["port"] = 0
    assert (refused.code, "needs" in refused.err) == (1, False)
    assert "server cannot be changed while the daemon runs" in refused.err
    project.file.write_text("sources: [", encoding="utf-8")
    daemon.process.send_signal(signal.SIGHUP)
    until(lambda: len(told(daemon, "config_refused")) == 2, "the mistake is told")
    project.save()
    assert daemon.get("/readyz").status_code == 200
    assert set(daemon.status()["sinks"]) == {"analytics", "files", "second"}


def test_a_reload_makes_a_promoted_column(shared: Shared) -> None:
    """Filled from what is stored: nothing is pulled for it."""
    project, daemon = shared.project, shared.daemon
    everyone = keys(shared.project)
    pulled = daemon.status()["sources"]["main"]["streams"]["appointments"]["last_success"]
    project.source["promote"] = {"appointments": {"booking_code": "text"}}
    project.save()
    ended = project.run("config", "reload")
    assert ended.code == 0, ended.err

    def filled() -> bool:
        with duckdb.connect(project.database, read_only=True) as connection:
            query = "SELECT count(booking_code), count(*) FROM appointments"
            try:
                [(codes, rows)] = connection.execute(query).fetchall()
            except duckdb.BinderException:
                return False  # the column is still to come
            return bool(codes == rows == len(everyone))

    until(filled, "the column is filled")
    streams = daemon.status()["sources"]["main"]["streams"]
    assert streams["appointments"]["last_success"] == pulled
    assert holds_the_same(shared)


def _csv(folder: Path) -> Any:
    return contents.of_csv(folder) if (folder / "appointments.csv").exists() else None


def test_secrets_in_a_file_are_read_again_when_it_changes(
    project: Project, sandbox: Sandbox
) -> None:
    first, second = fresh_secret(), fresh_secret()
    file = project.folder / "secrets.txt"
    file.write_text(first, encoding="utf-8")
    del project.source["webhook_secrets"]
    project.source["webhook_secrets_file"] = "secrets.txt"
    project.save()
    with serving(project, first) as daemon:
        daemon.wait_for_first_pull()
        assert daemon.send(b"{}", event_id="e1").status_code == 202
        assert daemon.send(b"{}", event_id="e2", secret=second).status_code == 401
        file.write_text(f"{second}\n{first}\n", encoding="utf-8")
        until(
            lambda: daemon.send(b"{}", event_id="e3", secret=second).status_code == 202,
            "the new secret is known",
        )
        assert daemon.send(b"{}", event_id="e4").status_code == 202
        assert second not in daemon.log()


# -- hooks, metrics, the end ------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[tuple[str, SimpleQueue[tuple[str, Any]]]]:
    """An address that hooks can call, and what they said."""
    heard: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()
            heard.put((self.path, json.loads(body)))

        def log_message(self, *_: object) -> None:
            """Stays silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join()


def test_hooks_hear_of_runs_and_of_trouble(
    project: Project, sandbox: Sandbox, receiver: tuple[str, SimpleQueue[tuple[str, Any]]]
) -> None:
    address, heard = receiver
    project.settings["hooks"] = {
        "refresh": {
            "on": ["succeeded"],
            "url": f"{address}/refresh?token=s3cret",
            "sinks": ["analytics"],
            "allow_private": True,
        },
        "alert": {
            "on": ["trouble", "recovered"],
            "url": f"{address}/alert",
            "allow_private": True,
        },
    }
    project.save()
    with serving(project, project.source["webhook_secrets"][0]) as daemon:
        path, said = heard.get(timeout=PATIENCE_SECONDS)
        assert (path, said["status"], said["source"]) == (
            "/refresh?token=s3cret",
            "succeeded",
            "main",
        )
        assert same_as_source(project, sandbox)  # the sink it names had passed the run
        remove(sandbox, *keys(project)[: ROWS // 2])
        assert project.sync().code == 3
        until(lambda: not heard.empty(), "the trouble is told")
        path, said = heard.get()
        assert (path, said["event"]) == ("/alert", "trouble")
        assert "approve" in said["hint"]
        assert "s3cret" not in daemon.log()


def test_metrics_and_status_can_have_a_port_of_their_own(
    project: Project, sandbox: Sandbox
) -> None:
    project.settings["server"] = {"port": 0, "admin_port": 0}
    project.save()
    with serving(project, project.source["webhook_secrets"][0]) as daemon:
        [started] = told(daemon, "daemon_started")
        admin = started["admin_address"]
        assert HTTP.get(f"{admin}/metrics").text.startswith("# HELP zimun_sync_")
        assert HTTP.get(f"{admin}/status").status_code == 200
        for hidden in ("/metrics", "/status"):
            assert daemon.get(hidden).status_code == 404
        for both in (daemon.url, admin):
            assert HTTP.get(f"{both}/livez").status_code == 200
            assert HTTP.get(f"{both}/readyz").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_and_gives_everything_back(
    daemon: Daemon, sandbox: Sandbox, number: signal.Signals
) -> None:
    daemon.process.send_signal(number)
    assert daemon.process.wait(PATIENCE_SECONDS) == 0
    ended = daemon.project.sync()  # nobody holds a lease any more
    assert (ended.code, ended.err.count("The daemon does it")) == (0, 0)


def test_sigterm_in_the_middle_of_a_pull_leaves_its_checkpoint(
    new_project: Callable[..., Project], serve: Callable[..., Sandbox]
) -> None:
    slow = serve(appointments=2000, latency_ms=200)
    project = new_project(slow.base_url)
    serve_settings(project, fresh_secret())
    with serving(project, project.source["webhook_secrets"][0]) as daemon:
        until(lambda: _pages(daemon) >= 2, "two pages are stored")
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(PATIENCE_SECONDS) == 0
    with serving(project, project.source["webhook_secrets"][0]) as daemon:
        daemon.wait_for_first_pull()
        run = daemon.status()["sources"]["main"]["streams"]["appointments"]["last_run"]
        assert (run["resumes"], run["records"]) == (1, 2000)
    assert same_as_source(project, slow)


def _pages(daemon: Daemon) -> int:
    run = daemon.status()["sources"]["main"]["streams"]["appointments"]["last_run"]
    return 0 if run is None else int(run["pages"])


def test_a_source_that_never_answers_does_not_hold_up_the_end(
    new_project: Callable[..., Project],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        project = new_project(f"http://127.0.0.1:{silent.getsockname()[1]}/api/v1")
        serve_settings(project, fresh_secret())
        project.settings["server"]["drain_seconds"] = 0.5
        project.save()
        with serving(project, project.source["webhook_secrets"][0]) as daemon:
            connection, _ = silent.accept()  # a request is under way now
            with connection:
                daemon.process.send_signal(signal.SIGTERM)
                assert daemon.process.wait(15) == 1
            assert "Not everything came to its end in time: pull:main." in daemon.log()
    assert not project.run("status").err.count("Traceback")


def test_an_unknown_address_is_a_mistake_that_is_told(project: Project, sandbox: Sandbox) -> None:
    project.settings["server"] = {"host": "203.0.113.1", "port": 0}
    project.save()
    ended = project.run("serve")
    assert ended.code == 2
    assert "203.0.113.1" in ended.err
    assert "Traceback" not in ended.err
