from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

import sqlalchemy as sa

from tests.store.conftest import SOURCE, STREAM, Feed, Listing, State, name_of, record, rows, start
from zimun_sync.store import Lag, Lease, Store
from zimun_sync.store.schema import records, sources

WRITERS, PAGES, PER_PAGE = 3, 12, 20
SHOW = "SHOW synchronous_commit"


def fill(state: State, lease: Lease, key: Callable[[int, int], str], writer: int) -> None:
    """What one writer does, with connections of its own."""
    listing = start(state.open(), lease)
    for page in range(PAGES):
        numbers = range(page * PER_PAGE, (page + 1) * PER_PAGE)
        listing.page(
            *(record(key(writer, number), f"{writer} {number}", number) for number in numbers)
        )


def read_while(writers: list[Future[None]], feed: Feed) -> list[list[int]]:
    """Sequences of the batches that a reader took while the writers wrote."""
    batches: list[list[int]] = []
    finished, after = False, 0
    while not finished:
        finished = all(writer.done() for writer in writers)
        while batch := [change.seq for change in feed.changes(after)]:
            batches.append(batch)
            after = batch[-1]
    return batches


def test_changes_come_in_order_and_in_portions(listing: Listing, feed: Feed) -> None:
    listing.page(*(record(f"k{number}") for number in range(5)))
    listing.page(record("k1", "Colour", 2))
    assert [change.key for change in feed.changes(limit=3)] == ["k0", "k2", "k3"]
    assert [change.key for change in feed.changes(after=4)] == ["k4", "k1"]
    assert feed.changes(after=6) == []


def test_a_change_tells_its_content_its_run_and_when(listing: Listing, feed: Feed) -> None:
    cut = record("a")
    before = listing.store.now()
    listing.page(cut)
    [change] = feed.changes()
    assert (change.key, change.hash, change.run_id) == ("a", cut.row_hash.hex(), listing.run.run_id)
    assert name_of(change) == "Cut"
    assert before < change.observed_at < listing.store.now()


def test_a_reader_never_sees_a_sequence_before_the_one_below_it(
    state: State, store: Store, lease: Lease, feed: Feed
) -> None:
    """No record is changed twice here, so that a gap could only be a change not yet visible."""
    with ThreadPoolExecutor(WRITERS) as threads:
        writers = [
            threads.submit(fill, state, lease, lambda writer, number: f"{writer}-{number}", number)
            for number in range(WRITERS)
        ]
        batches = read_while(writers, feed)
    for writer in writers:
        writer.result()
    assert list(chain.from_iterable(batches)) == list(range(1, WRITERS * PAGES * PER_PAGE + 1))


def test_writers_of_the_same_records_end_with_the_greatest_versions(
    state: State, store: Store, lease: Lease, feed: Feed
) -> None:
    with ThreadPoolExecutor(WRITERS) as threads:
        writers = [
            threads.submit(fill, state, lease, lambda _, number: f"k{number % 7}", number)
            for number in range(WRITERS)
        ]
        batches = read_while(writers, feed)
    for writer in writers:
        writer.result()
    taken = list(chain.from_iterable(batches))
    assert taken == sorted(set(taken))
    last = {number % 7: number for number in range(PAGES * PER_PAGE)}
    expected = {
        f"k{slot}": max(
            (record(f"k{slot}", f"{writer} {number}", number) for writer in range(WRITERS)),
            key=lambda each: each.hash,
        ).row_hash.hex()
        for slot, number in last.items()
    }
    assert {change.key: change.hash for change in feed.changes()} == expected


def test_lag_counts_changes_and_knows_the_oldest(listing: Listing, feed: Feed) -> None:
    store = listing.store
    assert store.feed.lag(SOURCE, STREAM, 0) == Lag(0, None)
    listing.page(record("a"), record("b"))
    listing.page(record("c"))
    by_key = {change.key: change for change in feed.changes()}
    assert store.feed.lag(SOURCE, STREAM, 0) == Lag(3, by_key["a"].observed_at)
    assert store.feed.lag(SOURCE, STREAM, 2) == Lag(1, by_key["c"].observed_at)
    assert store.feed.lag(SOURCE, STREAM, 3) == Lag(0, None)


def test_the_present_state_of_chosen_records(listing: Listing) -> None:
    listing.page(record("a"), record("b"), record("c"))
    listing.page(record("a", "Colour", 2))
    present = listing.store.feed.present(SOURCE, STREAM, {"a", "c", "unknown"})
    assert [(change.key, change.seq) for change in present] == [("c", 3), ("a", 4)]


def test_the_present_state_of_more_records_than_a_statement_takes(listing: Listing) -> None:
    listing.page(*(record(f"k{number}") for number in range(10)))
    wanted = {f"k{number}" for number in range(70_000)}
    present = listing.store.feed.present(SOURCE, STREAM, wanted)
    assert [change.seq for change in present] == list(range(1, 11))


def test_hashes_and_count_leave_out_what_is_deleted(listing: Listing) -> None:
    kept, gone = record("a"), record("b")
    listing.page(kept, gone)
    with listing.store._database.write(durable=False) as connection:
        connection.execute(sa.update(records).where(records.c.key == "b").values(deleted=True))
    assert list(listing.store.feed.hashes(SOURCE, STREAM)) == [("a", kept.row_hash.hex())]
    assert listing.store.feed.count(SOURCE, STREAM) == 1


def test_the_feed_is_made_durable_up_to_its_head(listing: Listing) -> None:
    store = listing.store
    listing.page(record("a"), record("b"))
    assert [row["synced_barrier"] for row in rows(store, sources)] == [0]
    store.feed.make_durable(SOURCE)
    store.feed.make_durable(SOURCE)
    assert [row["synced_barrier"] for row in rows(store, sources)] == [2]
    listing.page(record("c"))
    store.feed.make_durable(SOURCE)
    assert [row["synced_barrier"] for row in rows(store, sources)] == [3]


def test_the_barrier_is_a_commit_that_outlives_a_power_loss(listing: Listing) -> None:
    database, levels = listing.store._database, []
    ask, durable = ("PRAGMA synchronous", 2) if database.is_sqlite else (SHOW, "on")

    @sa.event.listens_for(database.engine, "commit")
    def note(connection: sa.Connection) -> None:
        levels.append(connection.exec_driver_sql(ask).scalar_one())

    listing.page(record("a"))
    listing.store.feed.make_durable(SOURCE)
    assert levels[-1] == durable
