"""Records are found by key wherever a long listing has put their keys so far."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from random import Random
from threading import Thread
from typing import NamedTuple
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import RootTransaction

from tests.store.conftest import SOURCE, STREAM, Feed, Listing, State, name_of, record, rows, start
from zimun_sync.errors import StoreError
from zimun_sync.store import Lease, PageRecords, Run, Store, keys, pages
from zimun_sync.store.schema import gathered_keys, listings, record_keys, records, sources

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


@pytest.mark.parametrize("here_ends", ["more", None], ids=["here gathered", "here indexed"])
@pytest.mark.parametrize("there_ends", ["more", None], ids=["there gathered", "there indexed"])
def test_records_of_two_streams_with_the_same_keys_are_told_apart(
    store: Store, lease: Lease, here_ends: str | None, there_ends: str | None
) -> None:
    here = start(store, lease)
    there = Listing(store, lease, store.runs.begin(lease, SOURCE, "staff", "p", fresh=True))
    here.page(*(record(each) for each in "abcd"), token=here_ends)
    there.page(*(record(each, "Anna") for each in "abcd"), token=there_ends)
    for stream, name in ((STREAM, "Cut"), ("staff", "Anna")):
        present = store.feed.present(SOURCE, stream, ["a", "b"])
        assert {each.key: name_of(each) for each in present} == dict.fromkeys("ab", name)
        assert {*store.feed.raws(SOURCE, stream, ["c"])} == {"c"}
        assert {*dict(store.feed.hashes(SOURCE, stream))} == {*"abcd"}


@pytest.mark.parametrize("ends", ["more", None], ids=["gathered", "indexed"])
def test_a_row_that_was_lost_costs_another_stream_nothing(
    store: Store, lease: Lease, ends: str | None
) -> None:
    here = start(store, lease)
    there = Listing(store, lease, store.runs.begin(lease, SOURCE, "staff", "p", fresh=True))
    for each in (here, there):
        each.page(*(record(key) for key in "abcd"), token=ends)
    lose(store, "b", stream=STREAM)
    for each in (here, there):  # which finds that one of them is gone
        each.page(*(record(key) for key in "abcd"), token=None)
    for stream in (STREAM, "staff"):
        found = store.feed.changes(SOURCE, stream, 0, 100)
        assert sorted(each.key for each in found) == [*"abcd"]


def lose(store: Store, *lost: str, stream: str = STREAM) -> None:
    """Remove records by hand, which leaves their keys behind."""
    its = sa.select(listings.c.id).where(listings.c.stream == stream).scalar_subquery()
    with store._database.write(durable=False) as connection:
        connection.execute(
            sa.delete(records).where(records.c.key.in_(lost), records.c.listing == its)
        )


@pytest.mark.parametrize("token", ["more", None], ids=["gathered", "indexed"])
@pytest.mark.parametrize("brought", ["b", "bdf"], ids=["few", "many"])
def test_a_record_whose_row_was_lost_comes_back_once(
    state: State, listing: Listing, feed: Feed, token: str | None, brought: str
) -> None:
    listing.page(*(record(each) for each in "abcde"), token=token)
    lose(listing.store, "b", "d")
    assert {*feed.names()} == {*"ace"}
    listing.page(*(record(each) for each in brought))
    listing.page(token=None)
    for store in (listing.store, state.open()):
        later = start(store, listing.lease)
        later.page(*(record(each) for each in "abcdef"), token=None)
        assert sorted(each.key for each in feed.changes()) == [*"abcdef"]
    assert {*feed.store.feed.raws(SOURCE, STREAM, "abcdef")} == {*"abcdef"}
    assert rows(listing.store, gathered_keys) == []


@pytest.mark.parametrize("fails_at", ["_index_gathered", "_clear", "_gather"])
def test_a_statement_that_fails_on_the_way_leaves_all_as_it_was(
    listing: Listing, feed: Feed, fails_at: str
) -> None:
    index = listing.store.pages._merger._keys
    listing.page(*(record(each) for each in "abcde"))
    broken = patch.object(index, fails_at, sa.text("SELECT nothing FROM nowhere"))
    with broken, pytest.raises(StoreError):
        listing.page(*(record(each) for each in "fghi"), token=None)
    assert {*feed.seqs()} == {*"abcde"}
    listing.page(*(record(each) for each in "abfghi"), token=None)
    assert sorted(each.key for each in feed.changes()) == [*"abcdefghi"]
    assert {each["key"] for each in rows(listing.store, record_keys)} == {*"abcdefghi"}


def test_a_commit_that_fails_takes_what_is_remembered_along(listing: Listing, feed: Feed) -> None:
    listing.page(*(record(each) for each in "abcde"))
    with patch.object(RootTransaction, "commit", side_effect=Failing), pytest.raises(Failing):
        listing.page(*(record(each) for each in "fghij"))
    listing.page(*(record(each) for each in "klmno"))
    listing.page(*(record(each) for each in "fgk"), token=None)
    assert sorted(each.key for each in feed.changes()) == [*"abcdefgklmno"]


def test_keys_of_a_database_that_was_put_back_are_not_trusted(listing: Listing, feed: Feed) -> None:
    """As when a server of PostgreSQL goes back to an earlier moment under a living process."""
    listing.page(*(record(each) for each in "abcde"))
    with listing.store._database.write(durable=False) as connection:
        for table in (records, gathered_keys):
            connection.execute(sa.delete(table).where(table.c.key.in_([*"cde"])))
        connection.execute(sa.update(sources).values(seq=2))
    with pytest.raises(StoreError, match="put back to an earlier moment") as raised:
        listing.page(*(record(each) for each in "xyz"))
    assert raised.value.hint
    listing.page(*(record(each) for each in "xyz"))
    listing.page(*(record(each) for each in "abcxyz"), token=None)
    assert sorted(each.key for each in feed.changes()) == [*"abcxyz"]


def test_writers_at_the_same_time_leave_each_record_once(state: State, listing: Listing) -> None:
    """Three processes, as far as locks go; one of five pages does not commit."""
    stores = [listing.store, state.open(), state.open()]
    trouble: list[BaseException] = []

    def write(store: Store, chance: Random) -> None:
        for _ in range(40):
            brought = {f"k{chance.randint(0, 120):03d}" for _ in range(chance.randint(1, 12))}
            content = [record(key, updated=chance.randint(1, 60)) for key in brought]
            token = None if chance.random() < 0.2 else "more"
            page = PageRecords(content, (), token, 0, of_everything=False)
            with suppress(Failing):
                store.pages.commit(listing.lease, listing.run, page)

    def guarded(number: int) -> None:
        try:
            write(stores[number], Random(number))
        except BaseException as error:  # noqa: BLE001 - told below
            trouble.append(error)

    chance = Random(7)

    def turn(*_: object) -> Run:
        if chance.random() < 0.2:
            raise Failing
        return listing.run

    with patch.object(pages, "turn_page", turn):
        threads = [Thread(target=guarded, args=(number,)) for number in range(len(stores))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert trouble == []
    stored = {each["id"]: each["key"] for each in rows(listing.store, records)}
    places = [*rows(listing.store, record_keys), *rows(listing.store, gathered_keys)]
    assert len({*stored.values()}) == len(stored)
    assert {each["record"]: each["key"] for each in places} == stored
    assert len(places) == len(stored)


def test_sources_use_no_more_numbers_than_they_have_streams(store: Store) -> None:
    """Numbers of records have to fit behind those of listings."""
    for _ in range(20):
        store.add_source("second")
    store.add_source("third")
    assert max(each["id"] for each in rows(store, listings)) == len(rows(store, listings))
