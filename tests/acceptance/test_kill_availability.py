"""`kill -9` while availability is asked for, request by request: nothing is lost or asked twice."""

import csv
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.conftest import NewProject, Serve
from tests.acceptance.program import Project, runs_until
from tests.thorough import times
from zimun_sync.sandbox import Sandbox
from zimun_sync.sandbox.world.schedule import Question

pytestmark = pytest.mark.acceptance

DAYS, KILLS = 7, times(3, 4)
AGAIN_AT_MOST = 2
Row = tuple[str, str, str, date, int]


def _asked(sandbox: Sandbox) -> int:
    return int(sandbox.observed.report()["requests"].get("availability", 0))


def _has_been_asked(sandbox: Sandbox, often: int) -> bool:
    return _asked(sandbox) >= often


def _offers(sandbox: Sandbox) -> Iterator[tuple[str, str, str]]:
    catalog = sandbox.world.catalog
    for service_id, service in catalog.services.items():
        for location_id in service["location_ids"]:
            for staff_id in catalog.staff_for(service_id, location_id):
                yield service_id, location_id, staff_id


def _days_to_come() -> list[date]:
    """Days that have begun nowhere yet, and that were asked for everywhere."""
    west = datetime.now(UTC).astimezone(ZoneInfo("America/New_York")).date()
    return [west + timedelta(days=ahead) for ahead in range(2, DAYS)]


def _truth(sandbox: Sandbox, days: list[date]) -> set[Row]:
    found = set()
    for service_id, location_id, staff_id in _offers(sandbox):
        question = Question(service_id, DAYS + 1, staff_id, location_id)
        slots = sandbox.world.bookings.schedule.availability(question)["slots"]
        starts = [date.fromisoformat(slot["start"][:10]) for slot in slots]
        found |= {(service_id, location_id, staff_id, day, starts.count(day)) for day in days}
    return found


def _rows(project: Project, days: list[date]) -> set[Row]:
    with (project.csv / "availability.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["availability_id"] for row in rows}) == len(rows)
    return {
        (
            row["service_id"],
            row["location_id"],
            row["staff_id"],
            date.fromisoformat(row["date"]),
            len(json.loads(row["slots"])),
        )
        for row in rows
        if date.fromisoformat(row["date"]) in days
    }


def test_kills_cost_at_most_two_requests_each(serve: Serve, new_project: NewProject) -> None:
    sandbox = serve(appointments=500)
    project = new_project(sandbox.base_url)
    project.source["streams"] = ["locations", "services", "staff", "holidays", "availability"]
    project.source["availability_days"] = DAYS
    project.save()
    chance, places = random.Random(20261121), 2
    for _ in range(KILLS):
        target = _asked(sandbox) + places + chance.randint(3, 7)
        with project.started("sync") as process:
            assert runs_until(process, partial(_has_been_asked, sandbox, target))
    ended = project.sync()
    assert ended.code == 0, ended.err

    days = _days_to_come()
    assert _rows(project, days) == _truth(sandbox, days)
    holidays = places * (KILLS + 1)
    needed = len(list(_offers(sandbox)))
    assert _asked(sandbox) - holidays <= needed + AGAIN_AT_MOST * KILLS
    (run,) = [run for run in project.run("runs", "--json").json if run["stream"] == "availability"]
    assert (run["status"], run["resumes"]) == ("succeeded", KILLS)
