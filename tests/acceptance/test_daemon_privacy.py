"""The daemon with a sink that is not shown everything: pulls, webhooks, a reload."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.acceptance.daemon import fresh_secret, serve_settings, serving, until
from tests.acceptance.program import Project
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance

ROWS = 30
CANARY = "Kanarienvogel"


def note(sandbox: Sandbox, number: int) -> bytes:
    """Put a customer's own words into an appointment; returns the webhook that would tell."""
    record = json.loads(sandbox.world.appointments.window(number, 1).items[0])
    now = datetime.now(UTC).isoformat()
    record |= {"notes": f"{CANARY} {number}", "updated_at": now}
    sandbox.world.put_appointment(record["appointment_id"], json.dumps(record).encode())
    event = {"type": "appointment.updated", "timestamp": now, "data": record}
    return json.dumps(event).encode()


def written(project: Project) -> str:
    return "".join(each.read_text() for each in project.csv.rglob("*.csv"))


def test_a_daemon_hides_what_pulls_and_webhooks_bring(
    serve: Callable[..., Sandbox], new_project: Callable[..., Project]
) -> None:
    sandbox = serve(appointments=ROWS)
    project = new_project(sandbox.base_url)
    project.settings["sinks"] = {"files": project.sinks["files"] | {"privacy": hidden("mask")}}
    serve_settings(project, fresh_secret())
    note(sandbox, 0)
    with serving(project, project.source["webhook_secrets"][0]) as daemon:
        daemon.wait_for_first_pull()
        before = written(project).count("K***")
        assert daemon.send(note(sandbox, 1), event_id="one").status_code == 202
        until(lambda: written(project).count("K***") > before, "a webhook is delivered")
        assert CANARY not in written(project) + daemon.log()

        project.sinks["files"]["privacy"] = hidden("drop")
        project.save()
        assert project.run("config", "reload").code == 0
        until(lambda: "K***" not in written(project), "everything is delivered anew")
        assert CANARY not in written(project) + daemon.log()


def hidden(notes: str) -> dict[str, object]:
    return {"columns": {"appointments": {"notes": notes}}}
