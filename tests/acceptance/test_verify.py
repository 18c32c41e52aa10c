"""`zimun-sync verify` beside a running daemon, which holds the sinks."""

from collections.abc import Callable

import pytest

from tests.acceptance.daemon import fresh_secret, serve_settings, serving
from tests.acceptance.program import Project
from tests.verify.conftest import content, drop_lines, fault, keys, present, put, told
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance


def test_beside_a_daemon(
    serve: Callable[..., Sandbox], new_project: Callable[..., Project]
) -> None:
    sandbox = serve(appointments=200)
    project, secret = new_project(sandbox.base_url), fresh_secret()
    serve_settings(project, secret)
    with serving(project, secret) as daemon:
        daemon.wait_for_first_pull()
        equal = project.run("verify", "--json")
        assert (equal.code, told(equal)) == (0, set()), equal.err
        before, lost = content(project), keys(project)[0]
        drop_lines(project, lost)
        found = project.run("verify", "--no-source", "--json")
        assert (found.code, told(found)) == (
            3,
            {fault("files", lost, "missing-in-sink", "as readers see it")},
        )
        mended = project.run("verify", "--no-source", "--repair", "--json")
        assert (mended.code, mended.json["repaired"]) == (0, {"files": 1}), mended.err
        assert content(project) == before
        moved = put(sandbox, present(sandbox), notes="moved")
        mended = project.run("verify", "--repair", "--json")
        assert (mended.code, mended.json["repaired"]) == (0, {"source main": 1}), mended.err
        assert "moved" in {row[1] for row in notes(project, moved)}
        refused = project.run("reset", "files", "--yes")
        assert (refused.code, "Stop the daemon" in refused.err) == (1, True)
        assert daemon.status()["well"] is True


def notes(project: Project, key: str) -> list[tuple[str, str]]:
    import duckdb

    with duckdb.connect(project.database, read_only=True) as connection:
        query = "SELECT appointment_id, notes FROM appointments WHERE appointment_id = ?"
        return connection.execute(query, [key]).fetchall()
