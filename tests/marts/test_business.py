"""One synced business is asked what analysts ask, and answers as the world itself does.

The ten questions of `docs/analysts.md`, as they stand there, and every picture of
`examples/notebook` with its data.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import zimun_sync
from tests.acceptance.program import PATIENCE_SECONDS
from tests.marts.business import Business, business
from tests.marts.truth import Rows, Truth

pytestmark = pytest.mark.acceptance

PAGE = (Path(__file__).parents[2] / "docs/analysts.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### (\d+)\. [^\n]*\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
QUESTIONS = {
    f"{number}{'ab'[which]}": sql
    for number, section in SECTIONS
    for which, sql in enumerate(re.findall(r"```sql\n(.*?)```", section, re.DOTALL))
}
ANSWERS: dict[str, Callable[[Truth], Rows]] = {
    "1a": Truth.bookings_by_week,
    "2a": Truth.no_shows_by_service,
    "3a": lambda truth: truth.utilization(datetime.now(UTC).date()),
    "4a": Truth.revenue_by_month,
    "5a": Truth.lead_times,
    "6a": Truth.movers,
    "7a": Truth.late_cancellations,
    "8a": Truth.new_and_returning,
    "9a": Truth.busiest_hours,
    "10a": Truth.changes,
    "10b": Truth.state_before,
}
NOTEBOOK = Path(__file__).parents[2] / "examples/notebook/first-look.py"
CHARTS = re.findall(r"^    (\w+_chart) = ", NOTEBOOK.read_text(encoding="utf-8"), re.MULTILINE)
#: Where analysts sit: an answer must not depend on it.
ZONES = ("UTC", "Pacific/Kiritimati", "America/Los_Angeles")


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    with business(tmp_path_factory.mktemp("business")) as found:
        yield found


@pytest.fixture(scope="module")
def truth(synced: Business) -> Truth:
    return Truth(synced)


def ask(synced: Business, sql: str, zone: str = "UTC") -> list[tuple[Any, ...]]:
    with closing(zimun_sync.connect(synced.project.file, timezone=zone)) as connection:
        return connection.execute(sql).fetchall()


def test_every_question_has_an_answer() -> None:
    assert list(QUESTIONS) == list(ANSWERS)


@pytest.mark.parametrize("number", ANSWERS)
def test_a_question_is_answered_as_the_world_does(
    synced: Business, truth: Truth, number: str
) -> None:
    before = ANSWERS[number](truth)
    assert len(before) > 1
    for zone in ZONES:
        answer = ask(synced, QUESTIONS[number], zone)
        # Midnight may have passed in between.
        assert answer == before or answer == ANSWERS[number](truth)


# -- the notebook ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def charts(synced: Business) -> dict[str, Any]:
    script = str(Path(__file__).with_name("charts.py"))
    ended = run(script, str(NOTEBOOK), "--config", str(synced.project.file))
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def rows(chart: dict[str, Any]) -> list[dict[str, Any]]:
    (found,) = chart["datasets"].values()
    return list(found)


def total(chart: dict[str, Any], column: str) -> Any:
    return sum(row[column] for row in rows(chart))


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_shows_data(charts: dict[str, Any], name: str) -> None:
    chart = charts[name]
    shown = [channel["field"] for channel in chart["encoding"].values()]
    assert len(shown) >= 2
    assert len(rows(chart)) > 1
    assert all(row[field] is not None for row in rows(chart) for field in shown)


def test_charts_add_up_to_what_the_world_holds(truth: Truth, charts: dict[str, Any]) -> None:
    booked = sum(visit.booked for visit in truth.visits)
    assert total(charts["weeks_chart"], "bookings") == booked
    assert total(charts["hours_chart"], "bookings") == booked
    assert total(charts["lead_times_chart"], "bookings") == booked
    cancelled = len(truth.visits) - booked
    assert total(charts["cancellations_chart"], "cancelled") == cancelled
    revenue = sum(float(amount) for *_, amount in truth.revenue_by_month())
    assert total(charts["revenue_chart"], "revenue") == pytest.approx(revenue)
    changes = sum(count for what, _, count in truth.changes() if what != "first seen")
    assert total(charts["changes_chart"], "changes") == changes


def test_it_becomes_a_page(synced: Business, tmp_path: Path) -> None:
    page = tmp_path / "first-look.html"
    arguments = ("-m", "marimo", "export", "html", str(NOTEBOOK), "-o", str(page))
    ended = run(*arguments, "--", "--config", str(synced.project.file))
    assert ended.returncode == 0, ended.stderr
    assert page.read_text(encoding="utf-8").count("Bookings a week") > 0
