"""`docs/analysts.md`: the ten questions, as they stand there, answer as the world itself does."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import zimun_sync
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
#: Where analysts sit: an answer must not depend on it.
ZONES = ("UTC", "Pacific/Kiritimati", "America/Los_Angeles")


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Business]:
    with business(tmp_path_factory.mktemp("ten")) as found:
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
        assert answer in (before, ANSWERS[number](truth))  # midnight may have passed in between
