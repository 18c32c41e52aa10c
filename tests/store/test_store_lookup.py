"""What sinks may look up beside their batch: the last known content of any record."""

import json
from dataclasses import dataclass

import pytest

from tests.store.conftest import SOURCE, Listing, Ticking, record
from zimun_sync.model import APPOINTMENTS, to_micros
from zimun_sync.normalize import Normalized, Normalizer, Places, Rules
from zimun_sync.sinks import Batch
from zimun_sync.store import Lease, PageRecords, Run, Store

_NORMALIZER = Normalizer(APPOINTMENTS, Rules({}, {}), Places())


def booking(key: str, **more: str) -> Normalized:
    content = {
        "appointment_id": key,
        "status": "confirmed",
        "appointment_time": "2026-11-21T09:00:00+02:00",
        "contact_email": "dana@example.org",
        "updated_at": "2026-11-20T00:00:00Z",
    }
    return _NORMALIZER.normalize(json.dumps(content | more).encode())


@dataclass
class Bookings:
    """Appointments of the source."""

    store: Store
    lease: Lease
    run: Run

    def bring(self, *records: Normalized) -> None:
        page = PageRecords(records, (), "more", 0)
        self.run = self.store.pages.commit(self.lease, self.run, page).run


@pytest.fixture
def bookings(store: Store, lease: Lease) -> Bookings:
    run = store.runs.begin(lease, SOURCE, "appointments", "p", fresh=True)
    return Bookings(store, lease, run)


def test_rows_are_those_that_changes_have(store: Store, bookings: Bookings) -> None:
    bookings.bring(booking("a1"), booking("a2"))
    stored = store.feed.changes(SOURCE, "appointments", 0, 10)
    expected = {each.key: each.row for each in Batch(SOURCE, APPOINTMENTS, stored).changes}
    found = store.lookup.rows(SOURCE, "appointments", ["a1", "a2", "never"])
    assert found == expected
    assert found["a1"]["starts_at"].isoformat() == "2026-11-21T07:00:00+00:00"
    assert found["a1"]["_source"] == SOURCE


def test_a_deleted_record_has_its_last_content(
    store: Store, bookings: Bookings, clock: Ticking
) -> None:
    bookings.bring(booking("a1"))
    [before] = store.lookup.rows(SOURCE, "appointments", ["a1"]).values()
    assert before["deleted_at"] is None
    gone_at = clock()
    bookings.run = store.missing.bury(bookings.lease, bookings.run, {"a1": to_micros(gone_at)})
    [change] = store.feed.present(SOURCE, "appointments", ["a1"])
    assert change.row is None
    [after] = store.lookup.rows(SOURCE, "appointments", ["a1"]).values()
    content = [column.name for column in APPOINTMENTS.content if column.name != "deleted_at"]
    assert {name: after[name] for name in content} == {name: before[name] for name in content}
    assert after["contact_email"] == "dana@example.org"
    assert after["deleted_at"] == gone_at


def test_the_latest_version_is_found(store: Store, listing: Listing) -> None:
    listing.page(record("cut", "Cut"))
    listing.page(record("cut", "Cut and wash", 2))
    assert store.lookup.rows(SOURCE, "services", {"cut"})["cut"]["name"] == "Cut and wash"


def test_other_sources_and_streams_are_not_looked_into(store: Store, listing: Listing) -> None:
    listing.page(record("cut"))
    store.add_source("second")
    assert store.lookup.rows("second", "services", ["cut"]) == {}
    assert store.lookup.rows("unknown", "services", ["cut"]) == {}
    assert store.lookup.rows(SOURCE, "staff", ["cut"]) == {}
    assert store.lookup.rows(SOURCE, "services", []) == {}


def test_more_keys_than_one_statement_takes_and_some_that_nothing_has(
    store: Store, listing: Listing
) -> None:
    keys = [f"k{number}" for number in range(5_001)]
    listing.page(*(record(key) for key in keys))
    assert store.lookup.rows(SOURCE, "services", [*keys, "zero\0"]).keys() == set(keys)
