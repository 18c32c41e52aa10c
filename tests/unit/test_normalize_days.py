"""Days of availability and holidays: from the records we make of answers to stored rows."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.model import AVAILABILITY
from zimun_sync.normalize import Normalizer, Places, Rules, unpack_row

NINE = "2026-06-01T09:00:00+02:00"
DAY = datetime(2026, 6, 1, tzinfo=UTC)


def test_a_day_of_availability(bench: Any) -> None:
    row = bench("availability").row(
        organization_id="o_1",
        location_id="l_1",
        service_id="s_1",
        staff_id="t_1",
        timezone="Europe/Berlin",
        slots=[
            ["2026-06-01T08:00:00Z", "2026-06-01T08:45:00Z"],
            [NINE, "2026-06-01T09:45:00+02:00"],
            ["2026-06-01T07:30:00Z", "2026-06-01T08:15:00Z"],
        ],
    )

    assert row == {
        "availability_id": "s_1@l_1@t_1@2026-06-01",
        "organization_id": "o_1",
        "location_id": "l_1",
        "service_id": "s_1",
        "staff_id": "t_1",
        "date": date(2026, 6, 1),
        "timezone": "Europe/Berlin",
        "slots": '[["2026-06-01T07:00:00Z","2026-06-01T07:45:00Z"],'
        '["2026-06-01T07:30:00Z","2026-06-01T08:15:00Z"],'
        '["2026-06-01T08:00:00Z","2026-06-01T08:45:00Z"]]',
        "slot_count": 3,
        "free_minutes": 105,
        "created_at": None,
        "updated_at": None,
        "deleted_at": None,
        "extra": None,
    }


def test_a_day_without_slots(bench: Any) -> None:
    row = bench("availability").row()
    assert (row["slots"], row["slot_count"], row["free_minutes"]) == ("[]", 0, 0)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"slots": None}, "missing-slots"),
        ({"slots": {}}, "wrong-type"),
        ({"slots": ["soon"]}, "bad-slot"),
        ({"slots": [[NINE]]}, "bad-slot"),
        ({"slots": [[NINE, NINE]]}, "bad-slot"),
        ({"slots": [[NINE, "soon"]]}, "bad-time"),
        ({"slots": [[NINE, 5]]}, "wrong-type"),
        ({"slots": [["2026-06-01T09:00:00", NINE]]}, "naive-time"),
        ({"date": None}, "missing-date"),
        ({"date": {"refusal": "422: no such service."}}, "not-answered"),
        ({"date": {"refusal": 5}}, "wrong-type"),
        ({"date": {}}, "wrong-type"),
        ({"date": "2026-6-1"}, "bad-date"),
        ({"date": "2026-02-30"}, "bad-date"),
        ({"date": "20260601"}, "bad-date"),
        ({"date": 5}, "wrong-type"),
        ({"availability_id": None}, "missing-id"),
    ],
)
def test_a_day_that_is_refused(bench: Any, fields: Mapping[str, object], code: str) -> None:
    found, message = bench("availability").refusal(**fields)
    assert found == code
    assert message


def test_a_holiday(bench: Any) -> None:
    row = bench("holidays").row(location_id="l_1", name="Pfingsten", half_day=True)
    assert (row["date"], row["name"], row["location_id"]) == (
        date(2026, 6, 1),
        "Pfingsten",
        "l_1",
    )
    assert row["extra"] == '{"half_day":true}'
    assert bench("holidays").refusal(date={"refusal": "No."}) == ("not-answered", "No.")


SLOTS = st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 300)), max_size=12)


@given(slots=SLOTS, order=st.randoms(use_true_random=False))
def test_free_minutes_are_those_that_a_slot_covers_in_whatever_order(
    slots: list[tuple[int, int]], order: Any
) -> None:
    times = [
        [(DAY + timedelta(minutes=at)).isoformat() for at in (start, start + length)]
        for start, length in slots
    ]
    order.shuffle(times)
    raw = {"availability_id": "k", "date": "2026-06-01", "slots": times}
    normalizer = Normalizer(AVAILABILITY, Rules({}, {}), Places())

    values = unpack_row(normalizer.normalize(json.dumps(raw).encode()).row)
    row = dict(zip((column.name for column in AVAILABILITY.content), values, strict=False))

    covered = {minute for start, length in slots for minute in range(start, start + length)}
    assert (row["free_minutes"], row["slot_count"]) == (len(covered), len(set(slots)))
    assert json.loads(row["slots"]) == sorted(json.loads(row["slots"]))
