"""`examples/notebook`: the first look at a synced business, every picture with its data."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import PATIENCE_SECONDS
from tests.marts.business import Business, business
from tests.marts.truth import Truth

pytestmark = pytest.mark.acceptance

NOTEBOOK = Path(__file__).parents[2] / "examples/notebook/first-look.py"
CHARTS = re.findall(r"^    (\w+_chart) = ", NOTEBOOK.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    with business(tmp_path_factory.mktemp("notebook")) as found:
        yield found


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


def test_charts_add_up_to_what_the_world_holds(synced: Business, charts: dict[str, Any]) -> None:
    truth = Truth(synced)
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
