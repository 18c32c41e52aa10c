"""Records are found by key wherever a long listing has put their keys so far."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import NamedTuple
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.store.conftest import SOURCE, STREAM, Feed, Listing, State, name_of, record, rows, start
from zimun_sync.errors import StoreError
from zimun_sync.store import Lease, Store, keys, pages
from zimun_sync.store.schema import gathered_keys, record_keys, records

_worlds = count()


class Step(NamedTuple):
    """A page: who brings it, what is on it, and whether its commit fails."""

    process: int
    items: dict[int, int]
    fails: bool
    ends: bool


steps = st.lists(
    st.builds(
        Step,
        process=st.integers(0, 1),
        items=st.dictionaries(st.integers(0, 30), st.integers(1, 4), max_size=8),
        fails=st.sampled_from([False, False, True]),
        ends=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(autouse=True)
def _short() -> Iterator[None]:
    """Few keys are many."""
    with patch.multiple(keys, GATHERED=12, FEW=3):
        yield


class Failing(Exception):
    """What ends a transaction."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(story=steps)
def test_pages_of_two_processes_that_may_fail_leave_each_record_once(
    state: State, listing: Listing, story: list[Step]
) -> None:
    """The second one writes under the same lease: what it added has to be found."""
    world = next(_worlds)
    stores = [listing.store, state.open()]
    expected: dict[str, int] = {}
    for step in story:
        brought = {f"{world}-{number:02d}": version for number, version in step.items.items()}
        content = [record(key, f"v{version}", version) for key, version in brought.items()]
        token = None if step.ends else "more"
        using = Listing(stores[step.process], listing.lease, listing.run)
        if step.fails:
            with patch.object(pages, "turn_page", side_effect=Failing), suppress(Failing):
                using.page(*content, token=token)
            continue
        using.page(*content, token=token)
        listing.run = using.run
        for key, version in brought.items():
            expected[key] = max(version, expected.get(key, 0))
    stores[1].close()
    found = [each for each in Feed(listing.store).changes() if each.key.startswith(f"{world}-")]
    assert {each.key: name_of(each) for each in found} == {
        key: f"v{version}" for key, version in expected.items()
    }
    assert len(found) == len(expected)


def test_a_record_is_found_before_its_key_is_in_the_index(
    state: State, listing: Listing, feed: Feed
) -> None:
    listing.page(*(record(each) for each in "abcde"))
    assert len(rows(listing.store, gathered_keys)) == len("abcde")
    for store in (listing.store, state.open()):
        assert [each.key for each in store.feed.present(SOURCE, STREAM, ["b", "nobody"])] == ["b"]
        assert {*store.standing.of(SOURCE, STREAM, ["a", "e"])} == {"a", "e"}
        assert len(store.versions.of(SOURCE, STREAM, "c")) == 1
        assert {*store.feed.raws(SOURCE, STREAM, ["d"])} == {"d"}
    listing.page(record("c", "Shave", updated=2))
    assert feed.names() == dict.fromkeys("abde", "Cut") | {"c": "Shave"}
    assert len(listing.store.versions.of(SOURCE, STREAM, "c")) == len(["Cut", "Shave"])


def test_the_last_page_settles_what_was_gathered(listing: Listing) -> None:
    listing.page(*(record(each) for each in "abcde"))
    listing.page(record("f"), token=None)
    assert rows(listing.store, gathered_keys) == []
    assert {each["key"] for each in rows(listing.store, record_keys)} == {*"abcdef"}


def test_many_are_settled_on_the_way(listing: Listing) -> None:
    for first in range(0, 20, 5):
        listing.page(*(record(f"k{number}") for number in range(first, first + 5)))
    waiting = {each["key"] for each in rows(listing.store, gathered_keys)}
    settled = {each["key"] for each in rows(listing.store, record_keys)}
    assert waiting == {f"k{number}" for number in range(15, 20)}
    assert settled == {f"k{number}" for number in range(15)}


def test_what_a_broken_off_listing_left_is_settled_by_the_next_one(
    state: State, listing: Listing
) -> None:
    listing.page(*(record(each) for each in "abcde"))
    store = state.open()
    later = start(store, listing.lease)
    later.page(record("b", "Shave", updated=2), token=None)
    assert rows(store, gathered_keys) == []
    assert Feed(store).names() == dict.fromkeys("acde", "Cut") | {"b": "Shave"}


def test_another_stream_has_keys_of_its_own(store: Store, lease: Lease) -> None:
    here = start(store, lease)
    here.page(*(record(each) for each in "abcd"))
    there = Listing(store, lease, store.runs.begin(lease, SOURCE, "staff", "p", fresh=True))
    there.page(*(record(each) for each in "abcd"), token=None)
    assert len(rows(store, records)) == len("abcd") * 2
    assert {each["key"] for each in rows(store, gathered_keys)} == {*"abcd"}


def test_a_record_whose_row_was_lost_comes_back(listing: Listing, feed: Feed) -> None:
    """Somebody removed it by hand: its key, left behind, leads nowhere."""
    listing.page(*(record(each) for each in "abcde"), token=None)
    with listing.store._database.write(durable=False) as connection:
        connection.execute(sa.delete(records).where(records.c.key.in_(["b", "d"])))
    assert {*feed.names()} == {*"ace"}
    listing.page(record("b", "Shave"), *(record(each) for each in "fgd"), token=None)
    assert feed.names() == dict.fromkeys("acdefg", "Cut") | {"b": "Shave"}


def test_a_full_disk_on_the_way_into_the_index_loses_nothing(listing: Listing, feed: Feed) -> None:
    listing.page(*(record(each) for each in "abcde"))
    trouble = StoreError("It is full.", hint="Free some space.")
    with patch.object(keys.Keys, "settle", side_effect=trouble), pytest.raises(StoreError):
        listing.page(record("f"), token=None)
    listing.page(*(record(each) for each in "abf"), token=None)
    assert {*feed.seqs()} == {*"abcdef"}
    assert len(feed.changes()) == len("abcdef")
