"""The views show what the bookings say, whatever the reading session's time zone is."""

import json
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.marts import expected
from tests.marts.engines import Engine, Row
from tests.marts.small_world import LOCATIONS, Offer, SmallWorld, State
from tests.marts.worlds import DAY, HAND_MADE, ONE, SEEN, TWO, WORLDS, booking, slots
from zimun_sync.marts import models

#: Of readers: offsets of whole and half hours, on both sides of the date line.
ZONES = ("UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland")

VIEWS: dict[str, Callable[[SmallWorld], Iterable[Row]]] = {
    "appointment_history": expected.history,
    "fact_appointments": expected.facts,
    "dim_customer": expected.people,
    "metrics_daily": expected.daily,
    "metrics_customers": expected.new_and_returning,
    "metrics_utilization": expected.utilization,
}


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, engine: Engine) -> SmallWorld:
    """The world that the engine has been filled with."""
    world = WORLDS[request.param]
    engine.load(world)
    return world


def _sorted(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """Rows that can be compared: in one order, of one kind of number."""
    found = [tuple((name, _plain(row[name])) for name in sorted(row)) for row in rows]
    return sorted(found, key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, list):  # PostgreSQL's driver has read the JSON
        return json.dumps(value)
    if isinstance(value, float):
        return round(value, 9)
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shows_the_truth_in_every_time_zone(
    engine: Engine, world: SmallWorld, view: str
) -> None:
    truth = list(VIEWS[view](world))
    columns = ", ".join(truth[0]) if truth else "*"
    for zone in ZONES if world is HAND_MADE else ZONES[-1:]:
        found = engine.rows(f"SELECT {columns} FROM {view}", zone)
        assert _sorted(found) == _sorted(truth), f"{view} in {zone}"


def test_every_view_answers_over_empty_tables(engine: Engine) -> None:
    engine.load(WORLDS["empty"])
    for model in models():
        assert engine.rows(f"SELECT * FROM {model.name}") == []


def test_dimensions_name_what_the_facts_refer_to(engine: Engine) -> None:
    engine.load(HAND_MADE)
    places = engine.rows("SELECT _source, location_id, timezone, currency FROM dim_location")
    assert _sorted(places) == _sorted(
        {"_source": source, "location_id": place, "timezone": zone, "currency": "EUR"}
        for source in ("main", "second")
        for place, zone in LOCATIONS.items()
    )
    days = engine.rows("SELECT * FROM dim_date ORDER BY date")
    assert [day["date"] for day in days] == [
        date(2026, 1, 1) + timedelta(days=n) for n in range(2 * 365)
    ]
    for day in days:
        assert _sorted([day]) == _sorted([_calendar(day["date"])])
    (holiday,) = engine.rows("SELECT * FROM dim_holiday")
    assert (holiday["location_id"], holiday["date"]) == ("l_berlin", date(2026, 10, 3))


def _calendar(day: date) -> Row:
    iso = day.isocalendar()
    return {
        "date": day,
        "year": day.year,
        "quarter": (day.month + 2) // 3,
        "month": day.month,
        "day": day.day,
        "iso_year": iso.year,
        "iso_week": iso.week,
        "weekday": iso.weekday,
        "month_name": f"{day:%B}",
        "weekday_name": f"{day:%A}",
        "is_weekend": iso.weekday in {6, 7},
        "month_start": day.replace(day=1),
        "week_start": day - timedelta(days=day.weekday()),
    }


def test_a_version_has_the_same_name_before_and_after_the_next_one_comes(engine: Engine) -> None:
    first, second = State(SEEN, ONE), State(SEEN + timedelta(hours=1), TWO)
    names = []
    for states in ((first,), (first, second)):
        engine.load(SmallWorld([booking("b_1", *states)]))
        found = engine.rows("SELECT version_id FROM appointment_history ORDER BY valid_from")
        names.append([row["version_id"] for row in found])
    assert names[1][:1] == names[0] == ["b_1@2026-09-01T08:00:00.000000+00:00"]


def test_the_sole_location_is_that_of_bookings_without_one(engine: Engine) -> None:
    homeless = booking("b_1", State(SEEN, ONE), location=None)
    offers = [Offer(DAY, SEEN, slots("2026-10-20 10:00", minutes=60))]
    engine.load(SmallWorld([homeless], offers, locations=[("main", "l_berlin")]))
    (found,) = engine.rows("SELECT location_id, utilization FROM metrics_utilization")
    assert found == {"location_id": "l_berlin", "utilization": 0.5}
