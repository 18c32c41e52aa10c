import json
from collections.abc import Collection
from functools import partial
from itertools import count, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.store.conftest import (
    NORMALIZER,
    SECOND,
    SOURCE,
    STREAM,
    Feed,
    Listing,
    State,
    name_of,
    record,
    refusal,
    rows,
    start,
)
from zimun_sync.errors import LeaseLost, StoreError
from zimun_sync.normalize import Normalized, Refused, normalize_items
from zimun_sync.store import (
    LEASE_SECONDS,
    Lease,
    PageChanged,
    PageOutcome,
    PageRecords,
    Printing,
    Prints,
    Store,
)
from zimun_sync.store.schema import history, records

_keys = (f"s_{number}" for number in count())

#: When a page is asked for, and the versions of one record that it brings.
pages = st.lists(
    st.tuples(
        st.integers(1, 6).map(lambda seconds: seconds * SECOND),
        st.lists(
            st.tuples(st.sampled_from("ABC"), st.none() | st.integers(1, 6)),
            min_size=1,
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=6,
)


def version(arrival: Normalized, asked_at: int) -> tuple[int, bytes]:
    return (asked_at if arrival.updated_at is None else arrival.updated_at), arrival.hash


def test_a_page_and_its_checkpoint_are_stored_together(listing: Listing, feed: Feed) -> None:
    outcome = listing.page(record("a"), record("b"), refused=[refusal("c")], token="t2", asked_at=7)
    assert (outcome.changed, outcome.disputed) == (2, ())
    run = listing.store.runs.get(listing.run.run_id)
    assert run == outcome.run
    assert (run.pages, run.records, run.changed, run.quarantined) == (1, 3, 2, 1)
    assert (run.page_token, run.listing_requested_at) == ("t2", 7)
    assert feed.names() == {"a": "Cut", "b": "Cut"}


def test_the_last_page_completes_the_listing(listing: Listing) -> None:
    assert not listing.run.listing_complete
    listing.page(record("a"), token="t2")
    assert not listing.run.listing_complete
    listing.page(token=None)
    assert listing.run.listing_complete


def test_a_change_gets_a_new_sequence_and_an_unchanged_record_keeps_its_own(
    listing: Listing, feed: Feed
) -> None:
    listing.page(record("a"), record("b"), record("c"))
    outcome = listing.page(record("a"), record("b", "Colour", updated=2), record("c"))
    assert outcome.changed == 1
    assert feed.seqs() == {"a": 1, "c": 3, "b": 4}
    assert [change.key for change in feed.changes(after=3)] == ["b"]


def test_equal_content_without_updated_at_raises_the_version_but_not_the_sequence(
    listing: Listing, feed: Feed
) -> None:
    listing.page(record("a", updated=None), asked_at=5)
    assert listing.page(record("a", updated=None), asked_at=9).changed == 0
    assert feed.seqs() == {"a": 1}
    listing.page(record("a", "Older", updated=None), asked_at=8)
    assert feed.names() == {"a": "Cut"}


def _known(listing: Listing, *records: Normalized) -> PageOutcome:
    """Commit the only page of another listing, without the items of it that are known."""
    prints = Prints(b"digest", [ord(each.key) for each in records])
    found = listing.store.pages.known.listing(SOURCE, STREAM).page(0)
    seq_of = dict(zip(found.prints.marks, found.seqs, strict=True)) if found else {}
    kept = [seq_of.get(mark, 0) for mark in prints.marks]
    fresh = [each for each, seq in zip(records, kept, strict=True) if not seq]
    page = PageRecords(fresh, (), None, 0, prints=prints, kept=kept)
    outcome = listing.store.pages.commit(listing.lease, listing.run, page)
    listing.succeed()
    listing.run = start(listing.store, listing.lease).run
    return outcome


def test_what_is_known_is_counted_and_not_missed(listing: Listing, feed: Feed) -> None:
    _known(listing, record("a"), record("b"))
    outcome = _known(listing, record("a"), record("c"))
    assert (outcome.run.records, outcome.changed) == (2, 1)
    assert feed.seqs() == {"a": 1, "b": 2, "c": 3}


def test_what_has_changed_since_is_not_known(listing: Listing, feed: Feed) -> None:
    _known(listing, record("a"), record("b"))
    listing.page(record("b", "Colour", updated=2))
    with pytest.raises(PageChanged):
        _known(listing, record("a"), record("b"))
    assert feed.names() == {"a": "Cut", "b": "Colour"}


def _remember(
    listing: Listing, *items: Normalized | Refused, asked_at: int = 0
) -> tuple[PageOutcome, list[int]]:
    """Commit the last page of a listing with these items, and what is known of it afterwards."""
    raws = [each.raw or b"" for each in items]
    printing = listing.store.pages.known.printing
    prints = Prints(printing.digest(raws), printing.marks(raws))
    records = [each for each in items if isinstance(each, Normalized)]
    refused = [each for each in items if isinstance(each, Refused)]
    page = PageRecords(records, refused, None, asked_at, prints=prints)
    outcome = listing.store.pages.commit(listing.lease, listing.run, page)
    found = listing.store.pages.known.listing(SOURCE, STREAM).page(listing.run.pass_pages)
    assert found is not None
    assert (found.prints.digest, list(found.prints.marks)) == (prints.digest, list(prints.marks))
    return outcome, list(found.seqs)


def test_what_more_than_its_bytes_must_be_looked_at_for_is_not_known(listing: Listing) -> None:
    listing.page(record("late", "New", 5))
    _, seqs = _remember(
        listing,
        record("a"),
        refusal("bad", b"?"),
        record("twice", "Old", 1),
        record("b"),
        record("twice", "New", 2),
        record("late", "Old", 4),
        record("c"),
    )
    assert seqs == [2, 0, 0, 3, 0, 0, 4]


def test_what_is_disputed_is_not_known(listing: Listing, feed: Feed) -> None:
    listing.page(record("a", "New", 5))
    [stored] = feed.changes()
    later = stored.observed_at + 1
    outcome, seqs = _remember(listing, record("a", "Old", 4), record("b"), asked_at=later)
    assert (outcome.disputed, seqs) == (("a",), [0, 2])


def test_what_has_a_later_version_in_quarantine_is_not_known(listing: Listing, feed: Feed) -> None:
    _known(listing, record("a"), record("b"))
    listing.page(refused=[refusal("b")])
    with pytest.raises(PageChanged):
        _known(listing, record("a"), record("b"))
    assert listing.store.runs.get(listing.run.run_id).pages == 1
    listing.page(record("b"))
    _known(listing, record("a"), record("b"))
    assert feed.seqs() == {"a": 1, "b": 2}


def test_what_the_same_page_shows_in_another_version_is_not_known(
    listing: Listing, feed: Feed
) -> None:
    _known(listing, record("a"), record("b"))
    prints = Prints(b"digest", [1, 2])
    page = PageRecords([record("a", "Colour", 2)], (), None, 0, prints=prints, kept=[1, 0])
    with pytest.raises(PageChanged):
        listing.store.pages.commit(listing.lease, listing.run, page)
    assert feed.names() == {"a": "Cut", "b": "Cut"}
    listing.store.pages.commit(listing.lease, listing.run, replace(page, kept=[2, 0]))
    assert feed.names() == {"a": "Colour", "b": "Cut"}


def test_a_record_without_a_time_is_never_known(listing: Listing) -> None:
    _known(listing, record("a", updated=None), record("b"))
    found = listing.store.pages.known.listing(SOURCE, STREAM).page(0)
    assert found is not None
    assert list(found.seqs) == [0, 2]


@pytest.mark.parametrize("numbers", [range(20), range(19, -1, -1)], ids=["onward", "backward"])
def test_every_page_of_a_long_listing_is_found_by_its_number(
    listing: Listing, numbers: range
) -> None:
    for number in range(20):
        prints = Prints(f"digest {number}".encode(), [number])
        page = PageRecords([record(f"r{number:02}")], (), str(number), 0, prints=prints)
        listing.run = listing.store.pages.commit(listing.lease, listing.run, page).run
    known = listing.store.pages.known.listing(SOURCE, STREAM)
    found = [each for number in numbers if (each := known.page(number)) is not None]
    assert [each.prints.digest.decode() for each in found] == [f"digest {n}" for n in numbers]
    assert [list(each.seqs) for each in found] == [[number + 1] for number in numbers]
    assert known.page(20) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.sets(st.integers(1, 70), min_size=1), st.integers(1, 40), st.integers(1, 40))
def test_what_still_stands_is_told_whatever_gaps_there_are(
    listing: Listing, asked: set[int], start: int, length: int
) -> None:
    """Sequences 1 to 40 were drawn; those of ten records that have changed since stand no more."""
    if not listing.run.pages:
        listing.page(*(record(f"r{number:02}") for number in range(1, 31)))
        listing.page(*(record(f"r{number:02}", "Colour", 2) for number in range(1, 31, 3)))
    held = {*range(1, 41)} - {*range(1, 31, 3)}
    stands = partial(_still_stand, listing)
    assert stands(asked) == (asked <= held)
    assert stands({*range(start, start + length)}) == ({*range(start, start + length)} <= held)
    assert stands(held)
    assert stands([*held, *held])
    assert stands(held - asked or held)


def _still_stand(listing: Listing, seqs: Collection[int]) -> bool:
    with listing.store._database.read() as connection:
        number = listing.store._listings.number(connection, SOURCE, STREAM)
        return listing.store.pages.known.still_stand(connection, number, list(seqs))


def test_two_states_know_the_same_items_by_other_numbers() -> None:
    items = [b'{"id": 1}', b'{"id": 2}']
    one, same, other = (Printing(secret) for secret in ("one", "one", "other"))
    assert one.marks(items) == same.marks(items)
    assert one.digest(items) == same.digest(items)
    assert not {*one.marks(items)} & {*other.marks(items)}
    assert one.digest(items) != other.digest(items)
    assert one.digest(items) != one.digest(items[::-1])


def test_a_shorter_listing_forgets_the_pages_behind_it(listing: Listing) -> None:
    prints = Prints(b"digest", [1])
    for token in ("more", None):
        page = PageRecords([record("a")], (), token, 0, prints=prints)
        listing.run = listing.store.pages.commit(listing.lease, listing.run, page).run
    listing.succeed()
    listing.run = start(listing.store, listing.lease).run
    _known(listing, record("a"))
    assert listing.store.pages.known.listing(SOURCE, STREAM).page(0) is not None
    assert listing.store.pages.known.listing(SOURCE, STREAM).page(1) is None


def test_a_listing_under_way_forgets_nothing_of_its_pages_to_come(listing: Listing) -> None:
    for token in ("more", None):
        page = PageRecords([record("a")], (), token, 0, prints=Prints(b"digest", [1]))
        listing.run = listing.store.pages.commit(listing.lease, listing.run, page).run
    listing.succeed()
    again = start(listing.store, listing.lease)
    first = PageRecords([record("a")], (), "more", 0, prints=Prints(b"digest", [1]))
    listing.store.pages.commit(again.lease, again.run, first)
    assert listing.store.pages.known.listing(SOURCE, STREAM).page(1) is not None


def test_a_pass_tells_which_page_was_the_first_with_a_record_that_was_not_known(
    listing: Listing,
) -> None:
    listing.page(record("a"))
    listing.page(record("b"), token=None)
    assert listing.store.passes.look(listing.run).first_new == 0
    listing.succeed()
    again = start(listing.store, listing.lease)
    again.page(record("a", "Colour", updated=2))
    again.page(record("b"))
    assert listing.store.passes.look(again.run).first_new is None
    again.page(record("c"), token=None)
    assert listing.store.passes.look(again.run).first_new == 2


def test_what_is_seen_again_keeps_the_row_that_sinks_were_told_of(
    listing: Listing, feed: Feed
) -> None:
    told, by_other_rules = record("a", updated=None), record("a", "By other rules", updated=None)
    listing.page(told, asked_at=5)
    [before] = feed.changes()
    again = told._replace(row=by_other_rules.row, row_hash=by_other_rules.row_hash)
    assert listing.page(again, asked_at=9).changed == 0
    assert feed.changes() == [before]


def test_content_that_makes_the_same_row_costs_sinks_nothing(listing: Listing, feed: Feed) -> None:
    listing.page(record("a"))
    assert listing.page(record("a", updated=1, price=None)).changed == 0
    assert feed.seqs() == {"a": 1}


def test_a_page_that_repeats_a_record_counts_its_greatest_version(
    listing: Listing, feed: Feed
) -> None:
    outcome = listing.page(record("a", "New", 2), record("a", "Old", 1), record("a", "New", 2))
    assert (outcome.changed, outcome.run.records) == (1, 3)
    assert feed.names() == {"a": "New"}


def test_more_records_than_one_statement_takes(listing: Listing, feed: Feed) -> None:
    listing.page(*(record(f"k{number}") for number in range(5_001)))
    outcome = listing.page(*(record(f"k{number}", "Colour", 2) for number in range(5_001)))
    assert outcome.changed == len(rows(listing.store, history)) == 5_001
    assert [change.seq for change in feed.changes()] == list(range(5_002, 10_003))


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(pages, min_size=2, max_size=2).map(lambda halves: halves[0] + halves[1]))
def test_however_pages_arrive_the_greatest_version_stands(
    listing: Listing,
    feed: Feed,
    arriving: list[tuple[int, list[tuple[str, int | None]]]],
) -> None:
    key = next(_keys)
    arrived, seen = [], []
    for asked_at, some in arriving:
        brought = [record(key, name, updated) for name, updated in some]
        listing.page(*brought, asked_at=asked_at)
        arrived += [(version(each, asked_at), each) for each in brought]
        [change] = listing.store.feed.present(listing.run.source, listing.run.stream, [key])
        greatest = max(arrived, key=lambda pair: pair[0])[1]
        assert change.hash == greatest.row_hash.hex()
        seen.append((change.seq, change.hash))
    assert seen == sorted(seen, key=lambda pair: pair[0])
    assert len({seq for seq, _ in seen}) == 1 + sum(
        before[1] != after[1] for before, after in pairwise(seen)
    )


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 6)), min_size=1).flatmap(
        lambda some: st.permutations(some + some[:2])
    )
)
def test_every_version_is_either_standing_or_in_history_whatever_the_order(
    listing: Listing, arriving: list[tuple[str, int]]
) -> None:
    key = next(_keys)
    brought = [record(key, name, updated) for name, updated in arriving]
    for each in brought:
        listing.page(each)
    [stands] = [row for row in rows(listing.store, records) if row["key"] == key]
    past = [row for row in rows(listing.store, history) if row["key"] == key]
    assert {row["hash"] for row in past} == {each.hash for each in brought} - {stands["hash"]}
    assert all(row["version"] <= stands["version"] for row in past)


def test_a_version_that_is_replaced_moves_to_history_as_it_was(
    listing: Listing, store: Store, feed: Feed
) -> None:
    first = record("a", "Old", 1)
    listing.page(first)
    [stored] = feed.changes()
    listing.page(record("a", "New", 2))
    [old] = rows(store, history)
    [new] = feed.changes()
    assert (old["version"], old["hash"], old["row"]) == (SECOND, first.hash, first.row)
    assert (old["observed_at"], old["superseded_at"]) == (stored.observed_at, new.observed_at)
    assert old["run_id"] == listing.run.run_id


def test_a_deleted_record_that_is_listed_again_comes_back(listing: Listing, feed: Feed) -> None:
    listing.page(record("a", "Old", 1))
    with listing.store._database.write(durable=False) as connection:
        connection.execute(records.update().values(deleted=True, version=5 * SECOND))
    assert feed.names() == {"a": None}
    assert listing.store.feed.count("main", "services") == 0
    listing.page(record("a", "Still the old one", 4))
    assert feed.names() == {"a": None}
    listing.page(record("a", "Back", 6))
    assert feed.names() == {"a": "Back"}


def test_a_single_record_is_merged_outside_a_page(
    store: Store, lease: Lease, listing: Listing, feed: Feed
) -> None:
    listing.page(record("a", "New", 5))
    run = store.pages.take_in(lease, listing.run, record("a", "Old", 4), asked_at=0)
    run = store.pages.take_in(lease, run, record("b", updated=None), asked_at=7)
    run = store.pages.take_in(lease, run, record("b", "Older", updated=None), asked_at=6)
    assert feed.names() == {"a": "New", "b": "Cut"}
    assert (run.pages, run.records, run.changed) == (1, 1, 2)


def test_streams_and_sources_do_not_mix(store: Store, lease: Lease, listing: Listing) -> None:
    store.add_source("other")
    other = store.leases.acquire("source:other")
    elsewhere = store.runs.begin(other, "other", "services", "p")
    store.pages.commit(other, elsewhere, PageRecords([record("a", "Theirs", 9)], [], None, 0))
    listing.page(record("a", "Ours"))
    assert store.feed.heads() == {"main": 1, "other": 1}
    for source, name in [("main", "Ours"), ("other", "Theirs")]:
        assert [name_of(each) for each in store.feed.changes(source, "services", 0, 9)] == [name]
    assert store.feed.changes("main", "staff", 0, 9) == []


def test_a_zombie_writes_nothing(state: State, store: Store, listing: Listing, feed: Feed) -> None:
    listing.page(record("a"))
    before = listing.run
    state.clock.forward(LEASE_SECONDS + 1)
    heir = state.open()
    successor = start(heir, heir.leases.acquire("source:main"), fresh=False)
    for write in (
        lambda: listing.page(record("b"), refused=[refusal("c")]),
        lambda: listing.correct(record("a", "Corrected", 5)),
        lambda: store.pages.take_in(listing.lease, before, record("b"), 0),
        listing.succeed,
        listing.fail,
        lambda: store.runs.restart_listing(listing.lease, before),
        lambda: store.leases.renew(listing.lease),
    ):
        with pytest.raises(LeaseLost, match="took over"):
            write()
    assert feed.names() == {"a": "Cut"}
    assert store.quarantine.entries() == []
    assert store.runs.get(before.run_id) == successor.run
    successor.page(record("b"), token=None)
    assert feed.names() == {"a": "Cut", "b": "Cut"}


def test_a_page_that_cannot_be_stored_leaves_nothing_behind(listing: Listing, feed: Feed) -> None:
    good = record("a")
    bad = good._replace(key="b", row=None)  # type: ignore[arg-type]  # refused by the database
    with pytest.raises(StoreError):
        listing.page(good, bad, refused=[refusal("c")])
    assert feed.changes() == []
    assert listing.store.runs.get(listing.run.run_id).pages == 0
    assert listing.store.quarantine.entries() == []
    listing.page(good)
    assert feed.seqs() == {"a": 1}


@pytest.mark.parametrize("identifier", ["a\0b", "k" * 501, "\N{GRINNING FACE}" * 501])
def test_an_identifier_that_not_every_database_holds_goes_to_quarantine(
    listing: Listing, feed: Feed, identifier: str
) -> None:
    longest = "\N{GRINNING FACE}" * 500
    raw = [json.dumps({"service_id": each}).encode() for each in (identifier, longest)]
    items = normalize_items(raw, NORMALIZER)
    listing.page(*items.records, refused=items.refused)
    assert feed.names() == {longest: None}
    [entry] = listing.store.quarantine.entries()
    assert (entry.code, entry.raw) == ("bad-id", raw[0])
