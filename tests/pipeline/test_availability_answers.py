"""Answers about availability that are not as promised: each costs what it concerns, no more."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.shop import Altered, Shop, open_shop, run_of
from zimun_sync.pipeline import horizon
from zimun_sync.store import Entry, RunStatus

Alter = Callable[[Callable[[dict[str, Any]], None]], None]
KEY = ("s_beard", "l_berlin", "st_001", date(2027, 6, 16))
ID = "s_beard@l_berlin@st_001@2027-06-16"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path) as opened:
        yield opened


@pytest.fixture
def alter(shop: Shop) -> Alter:
    """Alter the answer for one service and person; others stay as they are."""
    client: Any = shop.api

    def set_(change: Callable[[dict[str, Any]], None]) -> None:
        def only_that_one(answer: dict[str, Any]) -> None:
            people = {slot["staff_id"] for slot in answer["slots"]}
            if answer["service_id"] == KEY[0] and people == {KEY[2]}:
                change(answer)

        shop.api = Altered(client, only_that_one)

    return set_


def _entries(shop: Shop, stream: str = "availability") -> list[Entry]:
    return [entry for entry in shop.store.quarantine.entries() if entry.stream == stream]


def _first_of_that_day(answer: dict[str, Any]) -> dict[str, Any]:
    slots: list[dict[str, Any]] = answer["slots"]
    return next(slot for slot in slots if slot["start"].startswith("2027-06-16"))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"start": "2027-06-16T09:00:00"}, "bad-slot"),
        ({"start": "2027-06-16 at nine"}, "bad-slot"),
        ({"end": "2027-06-16T10:00:00+02:00", "start": "2027-06-16T11:00:00+02:00"}, "bad-slot"),
        ({"end": "soon"}, "bad-slot"),
    ],
)
def test_a_slot_that_cannot_be_read_costs_its_day(
    shop: Shop, alter: Alter, wrong: dict[str, str], code: str
) -> None:
    alter(lambda answer: _first_of_that_day(answer).update(wrong))
    report = shop.sync()

    assert (report.status, report.exit_code) == ("partial", 3)
    assert [(entry.key, entry.code) for entry in _entries(shop)] == [(ID, code)]
    expected = shop.truth()
    del expected[KEY]
    assert shop.free() == expected

    alter(lambda _answer: None)
    assert shop.sync().in_quarantine == 0
    assert shop.free() == shop.truth()


def test_a_day_in_quarantine_stays_as_it_was_and_is_not_missing(shop: Shop, alter: Alter) -> None:
    shop.sync()
    before = shop.free()
    alter(lambda answer: _first_of_that_day(answer).update(start="2027-06-16T09:00:00"))

    reports = [shop.sync() for _ in range(3)]

    assert sum(run_of(each).tombstoned for each in reports) == 0
    assert shop.free() == before


@pytest.mark.parametrize("slot", [{}, {"start": "soon"}, {"start": None}, "soon", 5, None])
def test_a_slot_of_no_day_stands_alone(shop: Shop, alter: Alter, slot: object) -> None:
    alter(lambda answer: answer["slots"].append(slot))
    report = shop.sync()

    assert report.status == "partial"
    assert [entry.key for entry in _entries(shop)] == ["s_beard@l_berlin@st_001@"]
    assert shop.free() == shop.truth()


def test_a_slot_without_an_end_lasts_as_long_as_its_service(shop: Shop, alter: Alter) -> None:
    def drop_the_ends(answer: dict[str, Any]) -> None:
        for slot in answer["slots"]:
            del slot["end"]

    alter(drop_the_ends)
    shop.sync()
    assert shop.free() == shop.truth()

    shop.change("services", "s_beard", duration=None)
    shop.sync()
    assert {entry.code for entry in _entries(shop)} == {"bad-slot"}


def test_the_other_name_of_a_start_and_any_offset_are_understood(shop: Shop, alter: Alter) -> None:
    def rename(answer: dict[str, Any]) -> None:
        for slot in answer["slots"]:
            slot["appointment_time"] = slot.pop("start")
            slot["note"] = "nobody promised this"

    alter(rename)
    shop.sync()
    assert shop.free() == shop.truth()


def test_slots_of_somebody_else_or_beyond_the_days_asked_for_are_left_out(
    shop: Shop, alter: Alter
) -> None:
    def add_others(answer: dict[str, Any]) -> None:
        first = answer["slots"][0]
        answer["slots"] += [
            first | {"staff_id": "st_999"},
            first | {"location_id": "l_paris"},
            first | {"start": "2027-07-16T09:00:00+02:00", "end": "2027-07-16T09:20:00+02:00"},
            dict(first),
        ]

    alter(add_others)
    assert shop.sync().status == "succeeded"
    assert shop.free() == shop.truth()


def test_a_question_that_is_refused_is_told_and_the_others_are_asked(shop: Shop) -> None:
    given = [key[2] for key in shop.truth() if key[0] == "s_makeup"]
    newcomer = next(each for each in ("st_002", "st_004", "st_006") if each not in given)
    known = shop.sandbox.world.catalog.staff[newcomer]["service_ids"]
    shop.change("staff", newcomer, service_ids=[*known, "s_makeup"])

    report = shop.sync()

    assert run_of(report).status == RunStatus.SUCCEEDED
    (entry,) = _entries(shop)
    assert (entry.key, entry.code) == (f"s_makeup@l_newyork@{newcomer}@", "not-answered")
    assert "422" in entry.message
    assert "do not go together" in entry.message
    assert shop.free() == shop.truth()

    shop.change("staff", newcomer, service_ids=known)
    assert shop.sync().in_quarantine == 0


def test_a_locations_holidays_are_asked_of_another_service_where_one_is_refused(shop: Shop) -> None:
    shop.sandbox.world.catalog.locations["l_berlin"]["holidays"] = {"2027-06-16": "Fest"}
    shop.streams = ("locations", "services", "holidays")
    del shop.sandbox.world.catalog.services["s_beard"]  # still listed

    report = shop.sync()

    assert (report.status, run_of(report, "holidays").pages) == ("succeeded", 2)
    assert [row["name"] for row in shop.rows("holidays")] == ["Fest"]


def test_a_location_that_no_service_answers_for_is_told(shop: Shop) -> None:
    shop.streams = ("locations", "services", "holidays")
    for person in shop.sandbox.world.catalog.staff.values():
        if person["location_id"] == "l_berlin":
            person["service_ids"] = []

    report = shop.sync()

    assert run_of(report, "holidays").status == RunStatus.SUCCEEDED
    (entry,) = _entries(shop, "holidays")
    assert (entry.key, entry.code) == ("l_berlin@", "not-answered")


@pytest.mark.parametrize(
    ("said", "name", "extra"),
    [
        ("Fest", "Fest", None),
        (None, None, None),
        ({"name": "Fest", "half": True}, "Fest", '{"half":true}'),
    ],
)
def test_what_is_said_about_a_holiday(
    shop: Shop, said: object, name: str | None, extra: str | None
) -> None:
    client: Any = shop.api
    shop.api = Altered(client, lambda answer: answer.update(holidays={"2027-06-16": said}))
    shop.sync()

    assert {(row["name"], row["extra"]) for row in shop.rows("holidays")} == {(name, extra)}


@pytest.mark.parametrize(
    ("holidays", "code"),
    [
        ({"2027-06-16": 5}, "wrong-type"),
        ({"2027-06-16": ["Fest"]}, "wrong-type"),
        ({"2027-06-31": "Fest"}, "bad-date"),
        ({"20270616": "Fest"}, "bad-date"),
        ({"": "Fest"}, "missing-date"),
    ],
)
def test_a_holiday_that_cannot_be_read_stands_alone(
    shop: Shop, holidays: dict[str, object], code: str
) -> None:
    client: Any = shop.api
    shop.api = Altered(client, lambda answer: answer["holidays"].update(holidays))
    shop.sandbox.world.catalog.locations["l_berlin"]["holidays"] = {"2027-06-17": "Fest"}
    report = shop.sync()

    assert report.status == "partial"
    assert {entry.code for entry in _entries(shop, "holidays")} == {code}
    assert [row["name"] for row in shop.rows("holidays")] == ["Fest"]
    assert shop.free() == shop.truth()


def test_no_word_about_holidays_is_none(shop: Shop) -> None:
    client: Any = shop.api
    shop.api = Altered(client, lambda answer: answer.update(holidays=None))
    assert shop.sync().status == "succeeded"
    assert shop.rows("holidays") == []


def test_one_service_that_many_people_give_does_not_stop_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = min(key[0] for key in shop.truth())
    del shop.sandbox.world.catalog.services[first]  # still listed
    monkeypatch.setattr(horizon, "_PATIENCE", 1)

    report = shop.sync()

    assert run_of(report).status == RunStatus.SUCCEEDED
    assert {entry.key.partition("@")[0] for entry in _entries(shop)} == {first}
