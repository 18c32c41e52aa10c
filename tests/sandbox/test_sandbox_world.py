"""The generated world: as many as asked for, the same for the same seed, and lifelike."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zimun_sync.errors import ConfigError
from zimun_sync.sandbox.world import World, WorldOptions

TODAY = date(2026, 11, 20)


def records(world: World) -> list[dict[str, Any]]:
    return [json.loads(item) for item in world.appointments.identified()]


@pytest.fixture(scope="module")
def world() -> World:
    return World(WorldOptions(appointments=3000, today=TODAY))


@pytest.fixture(scope="module")
def made(world: World) -> list[dict[str, Any]]:
    return records(world)


@settings(max_examples=15, deadline=None)
@given(count=st.integers(0, 600), seed=st.integers(0, 10**9))
def test_makes_exactly_as_many_as_asked_for_each_with_its_own_id(count: int, seed: int) -> None:
    world = World(WorldOptions(appointments=count, seed=seed, today=TODAY))
    assert len(world.appointments) == len({item["appointment_id"] for item in records(world)})
    assert len(world.appointments) == count


def test_equal_options_make_equal_bytes_in_every_process() -> None:
    code = (
        "import datetime, hashlib; from zimun_sync.sandbox.world import World, WorldOptions\n"
        "w = World(WorldOptions(appointments=300, today=datetime.date(2026, 11, 20)))\n"
        "print(hashlib.sha256(b''.join(w.appointments.identified())).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_another_seed_makes_another_world(made: list[dict[str, Any]]) -> None:
    other = World(WorldOptions(appointments=3000, seed=2, today=TODAY))
    assert records(other) != made


def test_nobody_and_nothing_is_booked_twice_at_a_time(made: list[dict[str, Any]]) -> None:
    taken: defaultdict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for item in made:
        start = datetime.fromisoformat(item["appointment_time"])
        end = start + timedelta(minutes=item["appointment_duration"])
        for subject in (item["staff_id"], item["resource_id"]):
            if subject:
                taken[subject].append((start, end))
    for intervals in taken.values():
        ordered = sorted(intervals)
        assert all(first[1] <= second[0] for first, second in pairwise(ordered))


def test_times_stand_on_the_wall_clock_of_their_location(
    world: World, made: list[dict[str, Any]]
) -> None:
    for item in made:
        time = datetime.fromisoformat(item["appointment_time"])
        zone = ZoneInfo(world.catalog.locations[item["location_id"]]["timezone"])
        assert time.astimezone(zone).isoformat() == item["appointment_time"]


def test_both_zones_change_their_clocks_within_the_data(made: list[dict[str, Any]]) -> None:
    offsets = defaultdict(set)
    for item in made:
        offsets[item["location_id"]].add(item["appointment_time"][-6:])
    assert offsets == {
        "l_berlin": {"+01:00", "+02:00"},
        "l_newyork": {"-05:00", "-04:00"},
    }


def test_an_hour_that_comes_twice_is_booked_twice(made: list[dict[str, Any]]) -> None:
    starts = {item["appointment_time"] for item in made}
    assert {"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"} <= starts
    assert {"2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"} <= starts


def test_it_looks_like_a_business(made: list[dict[str, Any]]) -> None:
    statuses = Counter(item["status"] for item in made)
    assert set(statuses) == {
        *("completed", "no_show", "cancelled", "checked_in"),
        *("held", "scheduled", "confirmed"),
    }
    customers = Counter(item["contact_email"] for item in made)
    assert customers.most_common(1)[0][1] > 5
    resource_bookings = [item for item in made if item["service_id"] is None]
    assert resource_bookings
    assert all(item["resource_id"] and not item["staff_id"] for item in resource_bookings)


def test_text_is_what_naive_tools_break_on(made: list[dict[str, Any]]) -> None:
    notes = "".join(item["notes"] or "" for item in made)
    assert all(sign in notes for sign in (",", '"', "\n", "🙏", "\u0301"))
    assert any((item["notes"] or "").startswith("=") for item in made)
    names = "".join(item["contact_name"] for item in made)
    assert all(sign in names for sign in "üИΠحכ王")
    phones = [item["contact_phone"] for item in made]
    assert any(phone is None for phone in phones)
    assert any(phone and phone.startswith("+") for phone in phones)
    assert any(phone and phone.startswith("0") for phone in phones)
    assert all(item["contact_email"].rpartition("@")[2].startswith("example.") for item in made)


def test_records_were_changed_after_they_were_made_and_not_in_the_future(
    made: list[dict[str, Any]],
) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    for item in made:
        created, updated = (
            datetime.fromisoformat(item[name]) for name in ("created_at", "updated_at")
        )
        assert created <= updated <= now
        assert created < datetime.fromisoformat(item["appointment_time"])


def test_checksums_are_those_of_the_records(world: World, made: list[dict[str, Any]]) -> None:
    prices: defaultdict[str, Decimal] = defaultdict(Decimal)
    for item in made:
        if item["price"]:
            prices[item["price"]["currency"]] += Decimal(item["price"]["amount"])
    assert world.checksums() == {
        "count": 3000,
        "durations": sum(item["appointment_duration"] for item in made),
        "instants": sum(
            int(datetime.fromisoformat(item["appointment_time"]).timestamp()) for item in made
        ),
        "prices": {currency: str(amount) for currency, amount in sorted(prices.items())},
        "malformed": 0,
        "unidentified": 0,
    }


def test_data_is_served_as_it_is_and_its_bookings_are_busy(tmp_path: Path) -> None:
    lines = [
        b'{"appointment_id": "a_1",  "appointment_time":"2026-11-20T10:00:00+01:00" , "x":1.50}',
        b'{"booking_id":"b_2","appointment_time":"soon"}',
        b"42",
    ]
    path = tmp_path / "appointments.ndjson"
    path.write_bytes(b"\r\n".join(lines) + b"\n\n")
    world = World(WorldOptions(data=path))
    assert world.appointments.window(0, 10).items == lines
    assert world.appointments.get("b_2") == lines[1]
    truth = world.checksums()
    assert (truth["count"], truth["malformed"], truth["unidentified"]) == (1, 1, 1)


def test_data_that_cannot_be_served_is_refused_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "appointments.ndjson"
    path.write_text('{"appointment_id": "a_1"}\n{oops}\n')
    with pytest.raises(ConfigError, match=r"appointments\.ndjson, line 2"):
        World(WorldOptions(data=path))
    with pytest.raises(ConfigError, match="No such file"):
        World(WorldOptions(data=tmp_path / "missing"))
