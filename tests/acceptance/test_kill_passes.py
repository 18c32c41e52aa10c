"""`kill -9` while a listing is read a second time: it goes on there, and no pass begins anew."""

import random

import pytest

from tests.acceptance import contents
from tests.acceptance.conftest import NewProject, Serve
from tests.acceptance.program import runs_until
from tests.thorough import times
from zimun_sync.sandbox import Sandbox

pytestmark = pytest.mark.acceptance

ROWS, PAGE = 6_000, 200
PAGES = ROWS // PAGE
KILLS = times(2, 6)
FETCHED_AGAIN_AT_MOST = 2


def _served(sandbox: Sandbox) -> int:
    """How many pages of appointments were served."""
    return sum(sandbox.observed.report()["pages"].get("appointments", {}).values())


def test_kills_in_the_second_pass_cost_at_most_two_pages_each(
    serve: Serve, new_project: NewProject
) -> None:
    sandbox = serve(appointments=ROWS, latency_ms=3)
    project = new_project(sandbox.base_url)
    project.source["paging"] = "unstable"
    project.save()
    chance = random.Random(20261121)
    for kill in range(KILLS):
        begun = PAGES + (kill * PAGES) // KILLS + chance.randint(2, 5)
        with project.started("sync") as process:
            assert runs_until(process, lambda begun=begun: _served(sandbox) >= begun)  # type: ignore[misc]
    ended = project.sync()
    assert ended.code == 0, ended.err
    [run] = [each for each in ended.json["runs"] if each["stream"] == "appointments"]
    assert (run["passes"], run["found_late"], run["pages"]) == (2, 0, 2 * PAGES)
    assert run["resumed"]
    assert _served(sandbox) <= 2 * PAGES + FETCHED_AGAIN_AT_MOST * KILLS
    assert contents.of_duckdb(project.database) == contents.of_source(sandbox.control_url)
