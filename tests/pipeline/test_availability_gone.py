"""What is no longer offered: services, people and holidays that go, and the days that are past."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.pipeline.shop import Key, Shop, open_shop, run_of
from zimun_sync.events import DeletionsHeld
from zimun_sync.pipeline.approving import approve, confirm
from zimun_sync.pipeline.offers import HorizonRules
from zimun_sync.store import RunStatus

TODAY = date(2027, 6, 15)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path) as opened:
        yield opened


def _days_of(shop: Shop, name: str, value: str) -> set[date]:
    return {row["date"] for row in shop.rows() if row[name] == value}


def _closed(shop: Shop, **days: str) -> None:
    """Set the holidays of Berlin, by day in June."""
    location = shop.sandbox.world.catalog.locations["l_berlin"]
    location["holidays"] = {f"2027-06-{day[1:]}": name for day, name in days.items()}


def _holidays(shop: Shop) -> dict[str, str]:
    return {row["holiday_id"]: row["name"] for row in shop.rows("holidays")}


# -- days -----------------------------------------------------------------------------------


def test_past_days_stay_as_they_were(shop: Shop) -> None:
    shop.sync()
    first = shop.free()

    reports = shop.nights(6)

    assert [run_of(each).status for each in reports] == [RunStatus.SUCCEEDED] * 6
    assert sum(run_of(each).tombstoned for each in reports) == 0
    assert {key: shop.free()[key] for key in first} == first
    assert len({key[3] for key in shop.free()}) == 4 + 6


def test_a_shorter_horizon_deletes_nothing(shop: Shop) -> None:
    shop.sync()
    first = shop.free()
    shop.rules = HorizonRules(days=2)

    reports = [shop.sync(), *shop.nights(2)]

    assert {each.status for each in reports} == {"succeeded"}
    assert first.keys() <= shop.free().keys()


def test_a_service_that_is_gone_leaves_its_past_and_no_future(shop: Shop) -> None:
    shop.sync()
    shop.remove("services", "s_physio")

    once, twice = shop.nights(2)

    assert (run_of(once).status, run_of(once).tombstoned) == (RunStatus.SUCCEEDED, 0)
    assert run_of(twice).tombstoned > 0
    # Asked for on the first day only: what was its tomorrow has begun by now.
    assert _days_of(shop, "service_id", "s_physio") == {
        TODAY + timedelta(days=ahead) for ahead in range(3)
    }
    assert {key: shop.free()[key] for key in shop.truth()} == shop.truth()
    assert once.in_quarantine == twice.in_quarantine == 0


def test_a_person_who_is_gone_leaves_their_past_and_no_future(shop: Shop) -> None:
    shop.sync()
    shop.remove("staff", "st_005")

    reports = shop.nights(3)

    assert {run_of(each).status for each in reports} == {RunStatus.SUCCEEDED}
    assert max(_days_of(shop, "staff_id", "st_005")) == TODAY + timedelta(days=2)


def test_more_than_the_brake_allows_waits_for_a_person(shop: Shop) -> None:
    shop.sync()
    before = shop.free()
    for person in ("st_001", "st_002"):  # who give everything at their places
        shop.remove("staff", person)

    shop.nights(1)
    (report,) = shop.nights(1)

    run = run_of(report)
    assert run.status == RunStatus.NEEDS_ATTENTION
    lost = len({key[:3] for key in before if key[2] in {"st_001", "st_002"}})
    held = len({key[:3] for key in before})
    (event, *_) = [each for each in shop.events if isinstance(each, DeletionsHeld)]
    assert event.missing == lost
    assert f"lacks {lost} of {held}" in str(run.error)  # each counted once, not once a day
    assert before.keys() <= shop.free().keys()

    assert approve(shop.store, run.run_id).status == RunStatus.SUCCEEDED
    report = shop.sync()
    assert run_of(report).status == RunStatus.SUCCEEDED
    today = TODAY + timedelta(days=2)
    assert max(_days_of(shop, "staff_id", "st_001")) == today


def test_what_was_approved_late_leaves_days_alone_that_have_passed(shop: Shop) -> None:
    shop.sync()
    for person in ("st_001", "st_002"):
        shop.remove("staff", person)
    run = run_of(shop.nights(2)[-1])
    shop.sandbox.clock.advance(86_400)
    approve(shop.store, run.run_id)

    lease = shop.store.leases.acquire("source:main")
    confirm(shop.store, shop.job, lease, run.run_id, shop.events.append, shop.stop.is_set)
    shop.store.leases.release(lease)
    shop.nights(1)

    assert max(_days_of(shop, "staff_id", "st_001")) == TODAY + timedelta(days=3)


def test_a_source_without_services_deletes_nothing(shop: Shop) -> None:
    shop.sync()
    for service_id in list(shop.sandbox.world.catalog.services):
        shop.change("services", service_id, active=False)

    (report,) = shop.nights(1)

    run = run_of(report)
    assert (run.status, run.tombstoned) == (RunStatus.NEEDS_ATTENTION, 0)
    assert "is empty, while" in str(run.error)
    shop.nights(3)
    assert run_of(shop.nights(1)[0]).status == RunStatus.SUCCEEDED  # all that is held has passed


# -- holidays -------------------------------------------------------------------------------


def test_holidays_are_each_locations_own(shop: Shop) -> None:
    _closed(shop, _17="Corpus Christi", _20="Fête de la Musique", _30="Later")
    shop.rules = HorizonRules(days=7)
    shop.sync()

    assert _holidays(shop) == {
        "l_berlin@2027-06-17": "Corpus Christi",
        "l_berlin@2027-06-20": "Fête de la Musique",
    }
    (row,) = [row for row in shop.rows("holidays") if row["date"] == date(2027, 6, 17)]
    assert (row["location_id"], row["organization_id"]) == ("l_berlin", "o_morgenlicht")
    assert shop.free() == shop.truth()
    assert all(not slots for key, slots in shop.free().items() if _is_closed(key))


def _is_closed(key: Key) -> bool:
    return key[1] == "l_berlin" and key[3] == date(2027, 6, 17)


def test_a_holiday_that_is_renamed_changes(shop: Shop) -> None:
    _closed(shop, _17="Corpus Cristi")
    shop.sync()
    _closed(shop, _17="Corpus Christi")

    report = shop.sync()

    assert run_of(report, "holidays").changed == 1
    assert _holidays(shop) == {"l_berlin@2027-06-17": "Corpus Christi"}


def test_a_holiday_goes_when_two_listings_missed_it(shop: Shop) -> None:
    _closed(shop, _18="Bridge day")
    shop.sync()
    _closed(shop)

    once = shop.nights(1)
    assert _holidays(shop) == {"l_berlin@2027-06-18": "Bridge day"}
    twice = shop.nights(1)

    assert _holidays(shop) == {}
    statuses = {run_of(each, "holidays").status for each in once + twice}
    assert statuses == {RunStatus.SUCCEEDED}


def test_a_holiday_that_has_passed_stays(shop: Shop) -> None:
    _closed(shop, _16="Tomorrow")
    shop.sync()

    reports = shop.nights(4)

    assert _holidays(shop) == {"l_berlin@2027-06-16": "Tomorrow"}
    assert {run_of(each, "holidays").status for each in reports} == {RunStatus.SUCCEEDED}


def test_a_place_without_services_is_not_asked_for_holidays(shop: Shop) -> None:
    for service_id, service in list(shop.sandbox.world.catalog.services.items()):
        if "l_newyork" in service["location_ids"]:
            shop.change("services", service_id, location_ids=["l_berlin"])
    report = shop.sync()
    assert run_of(report, "holidays").pages == 1


def test_records_show_their_versions_like_any_other(shop: Shop) -> None:
    shop.sync()
    key = "s_beard@l_berlin@st_001@2027-06-16"
    shop.remove("services", "s_beard")
    shop.nights(2)

    versions = shop.store.versions.of("main", "availability", key)

    assert [version.deleted for version in versions] == [False]
    later = shop.store.versions.of("main", "availability", "s_beard@l_berlin@st_001@2027-06-18")
    assert [version.deleted for version in later] == [True, False]
    assert msgspec.json.decode(later[1].row[7]) == msgspec.json.decode(later[0].row[7])
