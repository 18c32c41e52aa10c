"""What a complete listing missed: found, held back by the brake, buried on proof."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pytest

from tests.store.conftest import (
    SECOND,
    SOURCE,
    STREAM,
    Feed,
    Listing,
    Ticking,
    record,
    refusal,
    rows,
    start,
)
from zimun_sync.errors import LeaseLost
from zimun_sync.model import to_micros
from zimun_sync.normalize import unpack_row
from zimun_sync.store import Brake, Days, Lease, Missed, MissingState, RunStatus, Store
from zimun_sync.store.schema import history, records, seen

WIDE = Brake(share=1, least=100)
NARROW = Brake(share=0.05, least=10)
TWENTY = [f"k{number:02}" for number in range(20)]


@dataclass
class Nights:
    """Complete listings, one after the other."""

    store: Store
    lease: Lease
    clock: Ticking

    def bring(self, keys: Iterable[str]) -> Listing:
        """A listing of these records, with its last page stored."""
        self.clock.forward(3600)
        listing = start(self.store, self.lease)
        listing.page(*(record(key) for key in keys), token=None)
        return listing

    def miss(
        self,
        keys: Iterable[str],
        brake: Brake = WIDE,
        *,
        by_id: bool = True,
        days: Days | None = None,
    ) -> Missed:
        return self.find(self.bring(keys), brake, by_id=by_id, days=days)

    def find(
        self,
        listing: Listing,
        brake: Brake = WIDE,
        *,
        by_id: bool = True,
        days: Days | None = None,
    ) -> Missed:
        return self.store.missing.find(self.lease, listing.run, brake, by_id=by_id, days=days)

    def due(self, limit: int = 100) -> list[str]:
        return self.store.missing.due(SOURCE, STREAM, limit)

    def count(self, state: MissingState) -> int:
        return self.store.missing.count(SOURCE, STREAM, state)


@pytest.fixture
def nights(store: Store, lease: Lease, clock: Ticking) -> Nights:
    return Nights(store, lease, clock)


def now_of(clock: Ticking) -> int:
    return to_micros(clock())


def leave_unlisted(nights: Nights, keys: str, night: Listing) -> None:
    """What a listing missed, and answered by id."""
    nights.find(night)
    nights.store.missing.found(nights.lease, night.run, keys)


def test_what_was_lately_never_listed_makes_another_pass_futile(nights: Nights) -> None:
    nights.bring("abcde")
    leave_unlisted(nights, "a", nights.bring("bcde"))
    assert nights.miss("cde").futile
    nights.store.missing.found(nights.lease, start(nights.store, nights.lease).run, "ab")
    nights.clock.forward(8 * 24 * 3600)
    assert not nights.miss("de").futile  # that was long ago


def test_what_is_listed_again_had_moved(nights: Nights) -> None:
    nights.bring("abcde")
    leave_unlisted(nights, "ab", nights.bring("cde"))
    assert not nights.miss("bde").futile


# -- finding ------------------------------------------------------------------------------


def test_what_a_complete_listing_did_not_bring_is_due(nights: Nights) -> None:
    nights.bring("abcd")
    assert nights.miss("acd") == Missed(held=4, newly=1, braked=False)
    assert nights.due() == ["b"]


def test_a_listing_that_brings_everything_misses_nothing(nights: Nights) -> None:
    nights.bring("abc")
    assert nights.miss("abc") == Missed(held=3, newly=0, braked=False)
    assert nights.due() == []


def test_pages_are_remembered_across_a_resume(nights: Nights, store: Store, lease: Lease) -> None:
    nights.bring("abc")
    nights.clock.forward(3600)
    first = start(store, lease)
    first.page(record("a"), token="t2")
    first.fail()
    resumed = start(store, lease, fresh=False)
    resumed.page(record("c"), token=None)
    nights.find(resumed)
    assert nights.due() == ["b"]


def test_a_listing_that_began_again_counts_from_its_first_page(
    nights: Nights, store: Store, lease: Lease
) -> None:
    nights.bring("ab")
    nights.clock.forward(3600)
    listing = start(store, lease)
    listing.page(record("a"), token="t2")
    listing.run = store.runs.restart_listing(lease, listing.run)
    listing.page(record("b"), token=None)
    nights.find(listing)
    assert nights.due() == ["a"]


def test_a_record_that_can_no_longer_be_read_is_not_missing(
    nights: Nights, store: Store, lease: Lease
) -> None:
    nights.bring("ab")
    nights.clock.forward(3600)
    listing = start(store, lease)
    listing.page(record("a"), refused=[refusal("b"), refusal("sha256:00")], token=None)
    assert nights.find(listing).newly == 0


def test_a_record_that_changed_while_it_was_listed_is_not_missing(nights: Nights) -> None:
    nights.bring("ab")
    listing = nights.bring("a")
    listing.store.pages.take_in(listing.lease, listing.run, record("c"), asked_at=0)
    listing.store.pages.take_in(listing.lease, listing.run, record("b", "New", 9), asked_at=0)
    assert nights.find(listing) == Missed(held=3, newly=0, braked=False)


def test_a_missing_record_that_is_listed_again_is_forgotten(nights: Nights) -> None:
    nights.bring("ab")
    nights.miss("a")
    nights.miss("ab")
    assert nights.due() == []


def test_what_is_carried_over_is_not_newly_missing(nights: Nights) -> None:
    nights.bring("abcd")
    nights.miss("cd")
    assert nights.miss("c").newly == 1
    assert nights.due(limit=2) == ["a", "b"]


def test_finding_twice_is_finding_once(nights: Nights) -> None:
    nights.bring("abc")
    listing = nights.bring("a")
    first, second = nights.find(listing, by_id=False), nights.find(listing, by_id=False)
    assert (first.newly, second.newly) == (2, 0)
    assert nights.count(MissingState.ONCE) == 2


def test_without_by_id_a_second_complete_listing_decides(nights: Nights) -> None:
    nights.bring("abc")
    nights.miss("bc", by_id=False)
    assert (nights.due(), nights.count(MissingState.ONCE)) == ([], 1)
    nights.miss("c", by_id=False)
    assert (nights.due(), nights.count(MissingState.ONCE)) == (["a"], 1)


# -- the brake ----------------------------------------------------------------------------


@pytest.mark.parametrize(("listed", "braked"), [(10, False), (9, True)])
def test_the_brake_stops_more_than_the_larger_limit(
    nights: Nights, listed: int, braked: bool
) -> None:
    nights.bring(TWENTY)
    assert nights.miss(TWENTY[:listed], NARROW) == Missed(20, 20 - listed, braked)
    assert nights.count(MissingState.HELD) == (20 - listed) * braked
    assert len(nights.due()) == (20 - listed) * (not braked)


def test_the_share_counts_where_it_is_the_larger_limit() -> None:
    brake = Brake(share=0.05, least=10)
    assert not brake.stops(50, 1000)
    assert brake.stops(51, 1000)


def test_held_records_are_due_once_a_person_approves_their_run(
    nights: Nights, store: Store
) -> None:
    nights.bring(TWENTY)
    listing = nights.bring(TWENTY[:5])
    nights.find(listing, NARROW)
    assert store.missing.approve("another run") == 0
    assert store.missing.approve(listing.run.run_id) == 15
    assert nights.due() == TWENTY[5:]


def test_held_records_go_on_to_wait_for_the_latest_listing(nights: Nights, store: Store) -> None:
    nights.bring(TWENTY)
    before = nights.bring(TWENTY[:5])
    nights.find(before, NARROW)
    after = nights.bring(TWENTY[:4])
    assert nights.find(after, NARROW) == Missed(held=20, newly=16, braked=True, futile=True)
    assert store.missing.approve(before.run.run_id) == 0
    assert store.missing.approve(after.run.run_id) == 16


def test_a_listing_that_recovers_frees_what_was_held(nights: Nights) -> None:
    nights.bring(TWENTY)
    nights.miss(TWENTY[:5], NARROW)
    nights.miss(TWENTY[:18], NARROW)
    assert (nights.due(), nights.count(MissingState.HELD)) == (TWENTY[18:], 0)


# -- burying ------------------------------------------------------------------------------


def test_a_buried_record_is_gone_for_sinks_and_kept_in_history(
    nights: Nights, store: Store, lease: Lease, feed: Feed
) -> None:
    nights.bring("ab")
    listing = nights.bring("a")
    nights.find(listing)
    asked_at = now_of(nights.clock)
    run = store.missing.bury(lease, listing.run, {"b": asked_at})
    assert (run.tombstoned, run.changed) == (1, 1)
    assert [(each.key, each.row is None) for each in feed.changes()] == [("a", False), ("b", True)]
    assert store.feed.count(SOURCE, STREAM) == 1
    assert nights.due() == []
    assert [(row["key"], row["deleted"]) for row in rows(store, history)] == [("b", False)]
    stone = next(row for row in rows(store, records) if row["key"] == "b")
    assert (stone["deleted"], stone["version"]) == (True, asked_at)
    assert asked_at in unpack_row(stone["row"])


def test_burying_twice_is_burying_once(nights: Nights, store: Store, lease: Lease) -> None:
    nights.bring("ab")
    listing = nights.bring("a")
    run = store.missing.bury(lease, listing.run, {"b": now_of(nights.clock)})
    assert store.missing.bury(lease, run, {"b": now_of(nights.clock)}).tombstoned == 1


def test_a_tombstone_wins_over_a_version_from_the_future(
    nights: Nights, store: Store, lease: Lease, feed: Feed
) -> None:
    listing = nights.bring("a")
    ahead = now_of(nights.clock) // SECOND + 86_400
    listing.page(record("b", updated=ahead), token=None)
    then = nights.bring("a")
    store.missing.bury(lease, then.run, {"b": now_of(nights.clock)})
    assert feed.names() == {"a": "Cut", "b": None}


def test_what_came_after_the_question_is_not_buried(
    nights: Nights, store: Store, lease: Lease, feed: Feed
) -> None:
    nights.bring("ab")
    listing = nights.bring("a")
    asked_at = now_of(nights.clock)
    nights.clock.forward(5)
    later = now_of(nights.clock) // SECOND
    listing.page(record("b", "Back", later), token=None)
    assert store.missing.bury(lease, listing.run, {"b": asked_at}).tombstoned == 0
    assert feed.names() == {"a": "Cut", "b": "Back"}


def test_a_tombstoned_record_is_not_missed_again(
    nights: Nights, store: Store, lease: Lease
) -> None:
    nights.bring("ab")
    listing = nights.bring("a")
    nights.find(listing)
    store.missing.bury(lease, listing.run, {"b": now_of(nights.clock)})
    assert nights.miss("a") == Missed(held=1, newly=0, braked=False)


def test_burying_closes_what_waits_in_quarantine(
    nights: Nights, store: Store, lease: Lease
) -> None:
    nights.bring("ab")
    listing = start(store, lease)
    listing.page(record("a"), refused=[refusal("b")], token=None)
    store.missing.bury(lease, listing.run, {"b": now_of(nights.clock)})
    assert store.quarantine.entries() == []


def test_a_record_that_answers_by_id_is_no_longer_missing(
    nights: Nights, store: Store, lease: Lease
) -> None:
    nights.bring("abc")
    listing = nights.bring("a")
    nights.find(listing)
    store.missing.found(lease, listing.run, ["b"])
    assert nights.due() == ["c"]


def test_listed_names_records_that_this_listing_brought(nights: Nights, store: Store) -> None:
    nights.bring("abc")
    listing = nights.bring("bcd")
    nights.find(listing)
    assert sorted(store.missing.listed(listing.run, 10)) == ["b", "c", "d"]
    assert len(store.missing.listed(listing.run, 2)) == 2


def test_nothing_is_written_for_who_lost_the_lease(nights: Nights, store: Store) -> None:
    nights.bring("ab")
    listing = nights.bring("a")
    store.leases.release(nights.lease)
    store.leases.acquire(nights.lease.name)
    with pytest.raises(LeaseLost):
        nights.find(listing)
    with pytest.raises(LeaseLost):
        store.missing.bury(nights.lease, listing.run, {"b": 1})
    assert nights.due() == []


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.NEEDS_ATTENTION])
def test_what_was_seen_is_let_go_with_the_run(
    nights: Nights, store: Store, status: RunStatus
) -> None:
    listing = nights.bring("ab")
    assert len(rows(store, seen)) == 1
    listing.succeed() if status is RunStatus.SUCCEEDED else listing.fail(status)
    assert rows(store, seen) == []


# -- records of single days -----------------------------------------------------------------

WEEK = [f"{name}@2026-11-{day}" for name in "abc" for day in range(20, 27)]
NEXT = Days(date(2026, 11, 22), date(2026, 11, 24))


def test_only_the_days_that_were_asked_for_can_be_missing(nights: Nights) -> None:
    nights.bring(WEEK)
    left = [key for key in WEEK if not key.startswith("b")]

    assert nights.miss(left, days=NEXT) == Missed(held=3, newly=1, braked=False)
    assert nights.due() == ["b@2026-11-22", "b@2026-11-23", "b@2026-11-24"]


def test_the_days_of_one_count_once_for_the_brake(nights: Nights) -> None:
    nights.bring(WEEK)
    brake = Brake(share=0.05, least=1)

    assert nights.miss(WEEK[7:], brake, days=NEXT) == Missed(held=3, newly=1, braked=False)
    assert nights.miss(WEEK[14:], brake, days=NEXT) == Missed(held=3, newly=1, braked=False)
    assert nights.miss([], brake, days=NEXT).newly == 1  # the others were due before
    nights.bring(WEEK)
    nights.miss(WEEK, brake, days=NEXT)
    assert nights.miss(WEEK[14:], brake, days=NEXT) == Missed(held=3, newly=2, braked=True)


def test_what_was_missed_is_forgotten_once_its_day_has_passed(nights: Nights) -> None:
    nights.bring(WEEK)
    nights.miss(WEEK[7:], by_id=False, days=NEXT)
    later = Days(date(2026, 11, 24), date(2026, 11, 26))

    nights.miss(WEEK[7:], by_id=False, days=later)

    assert nights.due() == ["a@2026-11-24"]
    assert nights.count(MissingState.ONCE) == 2
    assert nights.store.missing.keys(SOURCE, STREAM) == set(WEEK[4:7])


def test_due_are_only_those_of_the_days_asked_for(nights: Nights) -> None:
    nights.bring(WEEK)
    nights.miss(WEEK[7:], days=NEXT)
    last = Days(NEXT.last, NEXT.last)
    assert nights.store.missing.due(SOURCE, STREAM, 10, last) == ["a@2026-11-24"]


def test_no_days_hold_nothing(nights: Nights) -> None:
    nights.bring(WEEK)
    none = Days(date(2026, 11, 24), date(2026, 11, 22))
    assert nights.store.missing.held(SOURCE, STREAM, NEXT) == 3
    assert nights.store.missing.held(SOURCE, STREAM, none) == 0
    assert nights.miss([], days=none) == Missed(held=0, newly=0, braked=False)
