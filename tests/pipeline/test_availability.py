"""Availability: what the sandbox's own schedule says, day by day, over HTTP."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.shop import BERLIN, NIGHT, ZONES, Shop, open_shop, run_of
from zimun_sync.events import PageStored
from zimun_sync.pipeline.offers import HorizonRules
from zimun_sync.sandbox import read_fault
from zimun_sync.zimun import Contact, HoldRequest


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path) as opened:
        yield opened


def _book(shop: Shop, service_id: str, staff_id: str, slot: list[str]) -> str:
    """Book a slot as a customer does; the appointment's id."""
    order = HoldRequest(
        organization_id=shop.sandbox.organization_id,
        service_id=service_id,
        staff_id=staff_id,
        appointment_time=datetime.fromisoformat(slot[0]),
        appointment_duration=20,
    )
    api: Any = shop.api
    contact = Contact(contact_name="Zoe Example", contact_email="zoe@example.com")
    return str(api.confirm(api.hold(order).hold_id, contact).appointment_id)


# -- what is free ---------------------------------------------------------------------------


def test_every_service_person_and_day_is_as_the_schedule_has_it(shop: Shop) -> None:
    report = shop.sync()

    assert report.status == "succeeded"
    assert shop.free() == shop.truth()
    offers = list(shop.offers())
    assert (run_of(report).pages, run_of(report).records) == (len(offers), 4 * len(offers))
    assert any(shop.free().values())


def test_a_row_says_where_and_how_long(shop: Shop) -> None:
    shop.sync()

    truth = shop.truth()
    for row in shop.rows():
        expected = ZONES[row["location_id"]]
        minutes: set[int] = set()
        for start, end in truth[
            row["service_id"], row["location_id"], row["staff_id"], row["date"]
        ]:
            first, last = (datetime.fromisoformat(each).timestamp() // 60 for each in (start, end))
            minutes |= set(range(int(first), int(last)))
        assert (row["timezone"], row["organization_id"]) == (str(expected), "o_morgenlicht")
        assert row["free_minutes"] == len(minutes)
        assert row["extra"] is None


def test_days_begin_with_each_locations_own_today(shop: Shop) -> None:
    shop.at(datetime(2027, 6, 15, 0, 30, tzinfo=UTC))  # still Monday in New York
    shop.sync()

    first = {row["location_id"]: date.max for row in shop.rows()}
    for row in shop.rows():
        first[row["location_id"]] = min(first[row["location_id"]], row["date"])
    assert first == {"l_berlin": date(2027, 6, 15), "l_newyork": date(2027, 6, 14)}


def test_days_without_slots_are_told_too(shop: Shop) -> None:
    shop.at(datetime(2027, 6, 19, 4, 30, tzinfo=UTC))  # Saturday; Sunday is closed
    shop.sync()

    sunday = [row for row in shop.rows() if row["date"] == date(2027, 6, 20)]
    assert len(sunday) == len(list(shop.offers()))
    assert {(row["slot_count"], row["free_minutes"], row["slots"]) for row in sunday} == {
        (0, 0, "[]")
    }


def test_a_booked_slot_is_gone_and_a_cancelled_one_is_back(shop: Shop) -> None:
    shop.sync()
    before = shop.free()
    key = ("s_beard", "l_berlin", "st_001", date(2027, 6, 16))
    slot = before[key][3]

    booked = _book(shop, key[0], key[2], slot)
    shop.sync()
    assert slot not in shop.free()[key]
    assert shop.free() == shop.truth()

    api: Any = shop.api
    api.cancel(booked)
    shop.sync()
    assert shop.free() == before


def test_each_service_as_a_whole_where_the_person_does_not_matter(shop: Shop) -> None:
    shop.rules = HorizonRules(days=3, by_staff=False)
    shop.sync()

    assert shop.free() == shop.truth(by_staff=False)
    assert {row["staff_id"] for row in shop.rows()} == {None}


def test_each_service_as_a_whole_where_nobody_knows_who_gives_it(shop: Shop) -> None:
    shop.streams = tuple(each for each in shop.streams if each != "staff")
    shop.sync()

    assert shop.free() == shop.truth(by_staff=False)


def test_a_person_whose_services_are_not_told_makes_a_place_asked_as_a_whole(shop: Shop) -> None:
    shop.change("staff", "st_002", service_ids=None)
    shop.sync()

    new_york = {key[2] for key in shop.free() if key[1] == "l_newyork"}
    berlin = {key[2] for key in shop.free() if key[1] == "l_berlin"}
    assert (new_york, None in berlin) == ({None}, False)


def test_what_cannot_be_booked_is_not_asked_for(shop: Shop) -> None:
    shop.change("services", "s_beard", active=False)
    shop.change("staff", "st_001", active=False)
    shop.sync()

    kept = {key for key in shop.truth() if key[0] != "s_beard" and key[2] != "st_001"}
    assert shop.free().keys() == kept


# -- time -----------------------------------------------------------------------------------


def test_a_sync_in_the_afternoon_keeps_the_morning(shop: Shop) -> None:
    shop.sync()
    before = shop.free()
    afternoon = NIGHT.replace(hour=12, minute=10)
    shop.at(afternoon)
    assert shop.truth() != before  # the API tells no slots of the morning any more

    report = shop.sync()

    assert (run_of(report).changed, shop.free()) == (0, before)


def test_a_slot_that_is_booked_before_it_begins_goes_and_one_that_began_stays(shop: Shop) -> None:
    shop.sync()
    noon = "2027-06-15T12:10"
    key, before = next(
        (key, slots)
        for key, slots in shop.free().items()
        if key[1] == "l_berlin" and any(slot[0] < noon for slot in slots) and slots[-1][0] > noon
    )
    shop.at(NIGHT.replace(hour=12, minute=10))
    later = next(slot for slot in before if slot[0] > noon)
    _book(shop, key[0], str(key[2]), later)

    shop.sync()

    began = [slot for slot in before if slot[0] <= noon]
    assert shop.free()[key] == began + shop.truth()[key]
    assert later not in shop.free()[key]


@pytest.mark.parametrize(
    ("day", "minutes"),
    [(date(2027, 3, 28), 5 * 60), (date(2027, 10, 31), 7 * 60), (date(2027, 6, 20), 6 * 60)],
)
def test_a_night_in_which_the_clock_changes_is_of_its_own_day(
    tmp_path: Path, day: date, minutes: int
) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
    with open_shop(tmp_path, midnight - timedelta(hours=20)) as shop:
        person = shop.sandbox.world.catalog.staff["st_001"]
        person["working_hours"]["sun"] = [{"start": "00:00", "end": "06:00"}]
        shop.sync()

        key = ("s_massage30", "l_berlin", "st_001", day)
        assert shop.free() == shop.truth()
        (row,) = [row for row in shop.rows() if row["availability_id"] == _id(key)]
        # Half-hour slots from 00:00 to 06:00 on the wall leave no gap.
        assert (row["free_minutes"], row["slot_count"]) == (minutes, minutes // 30)
        began = datetime.fromisoformat(shop.free()[key][0][0])
        assert began == midnight


def _id(key: tuple[str, str, str, date]) -> str:
    return "@".join((*key[:3], key[3].isoformat()))


# -- what it costs --------------------------------------------------------------------------


def test_an_unchanged_source_changes_nothing(shop: Shop) -> None:
    shop.sync()
    batches = len(shop.sink.batches)
    shop.at(NIGHT + timedelta(hours=1))

    report = shop.sync()

    assert [run.changed for run in report.runs] == [0] * len(shop.streams)
    assert len(shop.sink.batches) == batches


def test_the_next_night_brings_only_the_next_day(shop: Shop) -> None:
    shop.sync()
    before = shop.free()

    (report,) = shop.nights(1)

    offers = list(shop.offers())
    assert (run_of(report).changed, run_of(report).tombstoned) == (len(offers), 0)
    assert {key: shop.free()[key] for key in before} == before
    assert {key: shop.free()[key] for key in shop.truth()} == shop.truth()


def test_one_request_for_each_and_one_for_each_locations_holidays(shop: Shop) -> None:
    shop.sync()
    assert shop.asked() == len(list(shop.offers())) + 2


def test_a_failed_listing_goes_on_where_it_stopped(shop: Shop) -> None:
    shop.sandbox.faults.order(read_fault("503:stream=availability,on=12"))
    first = shop.sync()
    assert (run_of(first).status, run_of(first).pages) == ("failed", 9)  # two were for holidays

    second = shop.sync()

    assert (run_of(second).status, run_of(second).resumes) == ("succeeded", 1)
    assert shop.free() == shop.truth()
    assert shop.asked() == len(list(shop.offers())) + 2 + 2 + 1


def test_a_stopped_listing_goes_on_where_it_stopped(shop: Shop) -> None:
    def stop_at_page_seven(event: Any) -> None:
        if isinstance(event, PageStored) and (event.stream, event.pages) == ("availability", 7):
            shop.stop.set()

    shop.on_event = stop_at_page_seven
    assert shop.sync().interrupted
    shop.stop.clear()
    shop.on_event = lambda _event: None
    asked = shop.asked()
    report = shop.sync()

    assert run_of(report).resumes == 1
    assert shop.free() == shop.truth()
    assert shop.asked() - asked == 2 + len(list(shop.offers())) - 7


def test_a_listing_begins_again_when_what_is_offered_has_changed(shop: Shop) -> None:
    shop.sandbox.faults.order(read_fault("503:stream=availability,on=12"))
    shop.sync()
    shop.change("services", "s_beard", active=False)

    report = shop.sync()

    assert (run_of(report).status, run_of(report).resumes) == ("succeeded", 0)
    kept = {key: slots for key, slots in shop.truth().items() if key[0] != "s_beard"}
    assert {key: shop.free()[key] for key in kept} == kept


# -- where it is not offered ----------------------------------------------------------------


def test_without_the_scope_the_rest_goes_on(tmp_path: Path) -> None:
    with open_shop(tmp_path, scopes=("org:read", "appointments:read")) as shop:
        shop.streams = (*shop.streams, "appointments")
        report = shop.sync()

        assert (report.status, report.exit_code) == ("succeeded", 0)
        for stream in ("holidays", "availability"):
            run = run_of(report, stream)
            assert (run.status, run.failure) == ("not_offered", "ScopeMissing")
            assert "availability:read" in str(run.hint)
            assert f"take {stream} out" in str(run.hint)
        assert len(shop.rows("appointments")) == 400
        assert shop.asked() == 2


def test_an_api_without_the_path_is_asked_in_vain_only_so_often(shop: Shop) -> None:
    shop.sandbox.faults.order(read_fault("404:stream=availability,times=0"))
    report = shop.sync()

    assert report.status == "succeeded"
    assert {run_of(report, each).status for each in ("holidays", "availability")} == {"not_offered"}
    assert "availability:read" in str(run_of(report).hint)
    assert shop.asked() <= 2 * 3 + 20


def test_an_api_that_refuses_every_question_fails_the_run(shop: Shop) -> None:
    shop.rules = HorizonRules(days=90)
    report = shop.sync()

    assert report.status == "failed"
    assert run_of(report).failure == "RequestRefused"
    assert "days_ahead" in str(run_of(report).error)
