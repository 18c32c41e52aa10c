"""When a listing contradicts what stands, the record is asked for by id, and that answer counts."""

from tests.store.conftest import SECOND, Feed, Listing, record, rows
from zimun_sync.store import PageRecords, Store
from zimun_sync.store.schema import history, records


def test_two_edits_within_one_second_are_disputed_not_lost(listing: Listing, feed: Feed) -> None:
    """One of them has the greater hash; asked again later, the other one is what is true."""
    one, other = sorted((record("a", "One"), record("a", "Other")), key=lambda each: each.hash)
    listing.page(other)
    [stored] = feed.changes()
    assert listing.page(one, asked_at=stored.observed_at).disputed == ()
    assert listing.page(one, asked_at=stored.observed_at + 1).disputed == ("a",)
    assert feed.seqs() == {"a": 1}


def test_a_clock_of_ours_that_is_ahead_keeps_no_listing_from_disputing(
    listing: Listing, feed: Feed
) -> None:
    """When it was asked for is told by the server's clock, what stands was taken by ours."""
    ahead = 600 * SECOND
    one, other = sorted((record("a", "One"), record("a", "Other")), key=lambda each: each.hash)
    listing.page(other)
    [stored] = feed.changes()
    asked_at = stored.observed_at + SECOND - ahead
    page = PageRecords([one], [], "more", asked_at, correction=-ahead)
    assert listing.store.pages.commit(listing.lease, listing.run, page).disputed == ("a",)


def test_a_correction_makes_an_older_version_stand(listing: Listing, feed: Feed) -> None:
    listing.page(record("a", "Wrong", 9))
    listing.correct(record("a", "Right", 5))
    assert (feed.names(), feed.seqs()) == ({"a": "Right"}, {"a": 2})
    assert [row["hash"] for row in rows(listing.store, history)] == [record("a", "Wrong", 9).hash]


def test_after_a_correction_versions_up_to_the_overruled_one_cannot_win(
    listing: Listing, feed: Feed
) -> None:
    listing.page(record("a", "Wrong", 9))
    listing.correct(record("a", "Right", 5))
    listing.page(record("a", "Wrong", 9), record("b"))
    listing.page(record("a", "Newer", 8))
    assert feed.names() == {"a": "Right", "b": "Cut"}
    listing.page(record("a", "Newest", 10))
    listing.page(record("a", "Wrong", 9))
    assert feed.names() == {"a": "Newest", "b": "Cut"}


def test_a_correction_of_a_correction_still_overrules_what_the_first_one_did(
    listing: Listing, feed: Feed
) -> None:
    listing.page(record("a", "Wrong", 9))
    listing.correct(record("a", "Right", 5))
    listing.correct(record("a", "Right again", 6))
    listing.page(record("a", "Wrong", 9))
    assert feed.names() == {"a": "Right again"}


def test_history_after_a_correction_is_in_order_by_correction_and_version(
    listing: Listing, store: Store
) -> None:
    listing.page(record("a", "Wrong", 9))
    listing.correct(record("a", "Right", 5))
    listing.page(record("a", "Newest", 10))
    past = [(row["correction"], row["version"] // SECOND) for row in rows(store, history)]
    [stands] = rows(store, records)
    assert sorted(past) == [(0, 9), (1, 5)]
    assert (stands["correction"], stands["version"] // SECOND) == (1, 10)


def test_a_second_correction_overrules_what_the_first_one_let_in(
    listing: Listing, feed: Feed
) -> None:
    listing.page(record("a", "Wrong", 9))
    listing.correct(record("a", "Right", 5))
    listing.page(record("a", "Wrong again", 12))
    listing.correct(record("a", "Right again", 6))
    listing.page(record("a", "Late", 11))
    assert feed.names() == {"a": "Right again"}


def test_a_correction_that_confirms_what_stands_changes_nothing(
    listing: Listing, feed: Feed
) -> None:
    listing.page(record("a", "Right", 9))
    listing.correct(record("a", "Right", 9))
    assert feed.seqs() == {"a": 1}
    assert rows(listing.store, history) == []


def test_a_correction_of_a_record_nobody_knew_stores_it(listing: Listing, feed: Feed) -> None:
    listing.correct(record("a", "Found", 9))
    assert feed.names() == {"a": "Found"}
    assert listing.run.changed == 1
