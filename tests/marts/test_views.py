"""The views show what the bookings say, whatever the reading session's time zone is."""

import json
import random
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.marts import expected
from tests.marts.engines import DuckDb, Engine, Postgres, Row
from tests.marts.small_world import (
    LOCATIONS,
    NEW_YORK,
    Booking,
    Offer,
    SmallWorld,
    State,
    utc,
)
from zimun_sync.marts import models

if TYPE_CHECKING:
    from tests.conftest import PostgresServer

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


def _booking(key: str, *states: State, **more: Any) -> Booking:
    created = more.pop("created", utc("2026-10-01 22:30"))
    return Booking(key, states, created, **more)


def _in_york(key: str, *states: State, **more: Any) -> Booking:
    return _booking(key, *states, location="l_york", zone=NEW_YORK, offset=-300, **more)


SEEN = utc("2026-09-01 08:00")
ONE, TWO = utc("2026-10-20 08:00"), utc("2026-10-21 08:00")

BOOKINGS = (
    # Both halves of the hour that Berlin has twice, and of the one that New York has twice.
    _booking("b_dst_1", State(SEEN, utc("2026-10-25 00:30")), email="ada@example.org"),
    _booking("b_dst_2", State(SEEN, utc("2026-10-25 01:30")), email=" Ada@Example.ORG"),
    _in_york("b_dst_3", State(SEEN, utc("2026-11-01 05:30")), email="ada@example.org"),
    _in_york("b_dst_4", State(SEEN, utc("2026-11-01 06:30")), phone="+4930111"),
    # Just before and after the hour that is missing in spring, booked late in the evening.
    _booking("b_gap_1", State(SEEN, utc("2027-03-28 00:59")), created=utc("2027-03-27 23:30")),
    _booking("b_gap_2", State(SEEN, utc("2027-03-28 01:01")), created=utc("2027-03-28 22:30")),
    _in_york("b_gap_3", State(SEEN, utc("2027-03-14 07:01")), created=utc("2027-03-14 03:30")),
    # Moved twice, once with another change in between; moved and back.
    _booking(
        "b_moved",
        State(SEEN, ONE),
        State(SEEN + timedelta(days=1), TWO),
        State(SEEN + timedelta(days=2), TWO, "scheduled"),
        State(SEEN + timedelta(days=3), TWO + timedelta(hours=2)),
        phone="+4930111",
        email="ada@example.org",
        learnt_by="webhook",
    ),
    _booking(
        "b_back",
        State(SEEN, ONE),
        State(SEEN + timedelta(hours=1), TWO),
        State(SEEN + timedelta(hours=1), TWO + timedelta(hours=1)),
        State(SEEN + timedelta(hours=2), ONE),
        phone="+4930222",
        email="bo@example.org",
    ),
    # Cancelled: known from its history, as it was found, without a time, again, and after it.
    _booking(
        "b_off_1",
        State(SEEN, ONE),
        State(ONE - timedelta(hours=5), ONE, "cancelled"),
        State(ONE - timedelta(hours=4), ONE + timedelta(days=1), "cancelled"),
        phone="+4930222",
    ),
    _booking("b_off_2", State(ONE - timedelta(days=2), ONE, "cancelled"), email="bo@example.org"),
    _booking("b_off_3", State(SEEN, ONE, "cancelled"), dated=False, price=None),
    _booking(
        "b_off_4",
        State(SEEN, TWO, "cancelled"),
        State(SEEN + timedelta(days=1), TWO),
        State(TWO + timedelta(minutes=7, seconds=30), TWO, "cancelled"),
        phone="+4930333",
    ),
    # Cancelled and back again; gone from the source; gone and back.
    _booking(
        "b_on",
        State(SEEN, TWO),
        State(SEEN + timedelta(days=1), TWO, "cancelled"),
        State(SEEN + timedelta(days=2), TWO, "completed"),
        phone="+4930333",
        price="19.9999",
    ),
    _booking("b_gone", State(SEEN, TWO), State(SEEN + timedelta(days=1), TWO, deleted=True)),
    _booking(
        "b_again",
        State(SEEN, TWO),
        State(SEEN + timedelta(days=1), TWO, deleted=True),
        State(SEEN + timedelta(days=9), TWO + timedelta(hours=3)),
        email="cy@example.org",
    ),
    # One phone of two people; a phone of nobody's e-mail; nobody at all.
    _booking("b_two_1", State(SEEN, ONE), phone="+4930444", email="dee@example.org", name="Dee"),
    _booking("b_two_2", State(SEEN, TWO), phone="+4930444", email="eve@example.org", name="Eve"),
    _booking("b_two_3", State(SEEN, TWO, "no_show"), phone="+4930444", name="Who"),
    _booking("b_phone", State(SEEN, TWO), phone="+4930555", currency="CHF"),
    _booking("b_nobody", State(SEEN, TWO), phone="", email="  "),
    # What a source may leave out.
    _booking("b_bare", State(SEEN, TWO), created=None, minutes=None, price=None, staff=None),
    _booking("b_room", State(SEEN, TWO), staff=None, resource="r_1", service=None),
    _booking("b_nozone", State(SEEN, TWO), zone=None, offset=330, created=utc("2026-09-30 18:29")),
    _booking("b_odd", State(SEEN, TWO), zone="Nowhere/Land", offset=345),
    _booking("b_anyone", State(SEEN, TWO), staff=None),
    # The same identifiers, e-mails and phones in another source mean other things.
    _booking("b_moved", State(SEEN, ONE, "completed"), source="second", phone="+4930111"),
    _booking("b_two_1", State(SEEN, ONE), source="second", phone="+4930444", email="x@example.org"),
    _booking("b_two_2", State(SEEN, TWO), source="second", phone="+4930444"),
)


def _slots(*starts: str, minutes: int = 45) -> tuple[tuple[datetime, datetime], ...]:
    return tuple((utc(text), utc(text) + timedelta(minutes=minutes)) for text in starts)


DAY, NEXT = ONE.date(), TWO.date()
OFFERS = (
    # Two services of one person, seen before and after the day's appointments moved away.
    Offer(DAY, SEEN + timedelta(hours=12), _slots("2026-10-20 06:30", "2026-10-20 07:00")),
    Offer(DAY, SEEN + timedelta(days=3), _slots("2026-10-20 08:30"), service="s_color"),
    # Seen at the very instant of a change.
    Offer(NEXT, SEEN + timedelta(days=1), _slots("2026-10-21 15:00")),
    Offer(NEXT, SEEN + timedelta(days=5), _slots("2026-10-21 07:50"), staff=None),
    # The night that is an hour longer; a day off; days of another place and source.
    Offer(date(2026, 10, 25), SEEN, _slots("2026-10-24 23:00", "2026-10-25 00:45", minutes=90)),
    Offer(date(2026, 12, 24), SEEN, ()),
    Offer(date(2026, 11, 1), SEEN, _slots("2026-11-01 04:30", minutes=180), location="l_york"),
    Offer(DAY, SEEN + timedelta(days=1), _slots("2026-10-20 06:30"), source="second"),
)
HAND_MADE = SmallWorld(BOOKINGS, OFFERS, holidays=[("l_berlin", date(2026, 10, 3))])


def _random_world(seed: int) -> SmallWorld:
    """Bookings that clash, move and change hands, and offers seen in between."""
    dice = random.Random(seed)
    return SmallWorld(
        [_random_booking(dice, number) for number in range(80)],
        [offer for day in range(5) for offer in _random_offers(dice, day)],
    )


def _random_booking(dice: random.Random, number: int) -> Booking:
    make = dice.choice((_booking, _in_york))
    since = SEEN
    states: list[State] = []
    for _ in range(dice.choice((1, 1, 1, 2, 3, 4))):
        since += timedelta(hours=dice.choice((0, 1, 30)))
        starts = ONE + timedelta(days=dice.randrange(5), minutes=15 * dice.randrange(30))
        status = dice.choice(("confirmed", "held", "cancelled", "no_show", "completed", "other"))
        gone = bool(states) and dice.random() < 0.1
        states.append(State(since, starts, status, deleted=gone))
    return make(
        f"a_{number}",
        *states,
        source=dice.choice(("main", "second")),
        staff=dice.choice(("st_ana", "st_ben", None)),
        minutes=dice.choice((15, 30, 60, None)),
        email=dice.choice((None, None, "p@example.org", "Q@example.org", "r@example.org ")),
        phone=dice.choice((None, "+491", "+492", "+493")),
        price=dice.choice((None, "0.0001", "12.50")),
        created=SEEN - timedelta(minutes=dice.randrange(100_000)),
    )


def _random_offers(dice: random.Random, day: int) -> Iterable[Offer]:
    for service in ("s_cut", "s_color"):
        starts = sorted({8 * 60 + 15 * dice.randrange(20) for _ in range(4)})
        first = ONE.replace(hour=0) + timedelta(days=day)
        slots = [first + timedelta(minutes=start) for start in starts]
        yield Offer(
            first.date(),
            SEEN + timedelta(hours=dice.randrange(60)),
            tuple((start, start + timedelta(minutes=40)) for start in slots),
            service=service,
            staff=dice.choice(("st_ana", "st_ben", None)),
        )


WORLDS = {
    "hand-made": HAND_MADE,
    "empty": SmallWorld(locations=()),
    **{f"random-{seed}": _random_world(seed) for seed in range(3)},
}


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    if request.param == "duckdb":
        return DuckDb(tmp_path_factory.mktemp("marts"))
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return Postgres(server.new_schema())


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
        engine.load(SmallWorld([_booking("b_1", *states)]))
        found = engine.rows("SELECT version_id FROM appointment_history ORDER BY valid_from")
        names.append([row["version_id"] for row in found])
    assert names[1][:1] == names[0] == ["b_1@2026-09-01T08:00:00.000000+00:00"]


def test_the_sole_location_is_that_of_bookings_without_one(engine: Engine) -> None:
    booking = _booking("b_1", State(SEEN, ONE), location=None)
    offers = [Offer(DAY, SEEN, _slots("2026-10-20 10:00", minutes=60))]
    engine.load(SmallWorld([booking], offers, locations=[("main", "l_berlin")]))
    (found,) = engine.rows("SELECT location_id, utilization FROM metrics_utilization")
    assert found == {"location_id": "l_berlin", "utilization": 0.5}
