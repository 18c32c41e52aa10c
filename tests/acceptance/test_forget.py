"""Forgetting a person beside a running daemon, while webhooks go on telling of them."""

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from tests.acceptance.daemon import Daemon, fresh_secret, serve_settings, serving, until
from tests.acceptance.program import Project
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance
ROWS = 300
NAME, EMAIL = "Canary Quill", "canary@example.net"


def booking(key: str, minute: int) -> dict[str, Any]:
    return {
        "appointment_id": key,
        "appointment_time": "2026-11-02T09:45:00+01:00",
        "status": "confirmed",
        "contact_name": NAME,
        "contact_email": EMAIL,
        "notes": f"canary {minute}",
        "updated_at": f"2026-11-01T10:{minute:02d}:00+00:00",
    }


def event(key: str, minute: int) -> bytes:
    return json.dumps({"type": "appointment.updated", "data": booking(key, minute)}).encode()


def files_with_the_person(project: Project) -> list[str]:
    """Files of the state, of the sinks, and the log."""
    files = [*(project.folder / "var").rglob("*"), project.folder / "serve.log"]
    return [each.name for each in files if each.is_file() and b"canary" in _content(each)]


def _content(file: Any) -> bytes:
    try:
        return bytes(file.read_bytes()).lower()
    except FileNotFoundError:  # the daemon has just replaced it
        return b""


def tell(daemon: Daemon, sandbox: Sandbox, key: str, minute: int) -> None:
    sandbox.world.put_appointment(key, json.dumps(booking(key, minute)).encode())
    answer = daemon.send(event(key, minute), event_id=f"{key}-{minute}")
    assert answer.status_code < 300


def test_beside_a_daemon(
    new_project: Callable[..., Project], serve: Callable[..., Sandbox]
) -> None:
    sandbox = serve(appointments=ROWS)
    project, secret = new_project(sandbox.base_url), fresh_secret()
    serve_settings(project, secret)
    for number in range(5):
        key = f"a_before{number}"
        sandbox.world.put_appointment(key, json.dumps(booking(key, number)).encode())
    with serving(project, secret) as daemon:
        daemon.wait_for_first_pull()
        tell(daemon, sandbox, "a_hooked", 10)
        until(lambda: shown(project, "a_hooked"), "the webhook is delivered")
        ended = project.run("forget", "--email", EMAIL, "--yes", "--json")
        assert ended.code == 0, ended.err
        for number in range(5):
            tell(daemon, sandbox, f"a_before{number}", 20 + number)
        tell(daemon, sandbox, "a_after", 30)
        until(lambda: shown(project, "a_after"), "the next webhook is delivered")
        assert project.sync("--full").code == 0
        until(lambda: files_with_the_person(project) == [], "no file has anything of them")
        assert shown(project, "a_after") == [("confirmed", None, None)]
        assert shown(project, "a_before0") == [("confirmed", None, None)]
    assert ended.json["records"] == [{"source": "main", "stream": "appointments", "records": 6}]


def shown(project: Project, key: str) -> list[tuple[Any, ...]]:
    """An appointment as an analyst sees it."""
    query = "SELECT status, contact_name, notes FROM appointments WHERE appointment_id = ?"
    with duckdb.connect(project.database, read_only=True) as connection:
        return connection.execute(query, [key]).fetchall()
