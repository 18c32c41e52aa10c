import pytest

from tests.store.conftest import SOURCE, STREAM, Listing, record, refusal, start
from zimun_sync.errors import ConfigError
from zimun_sync.normalize import Refused
from zimun_sync.normalize.events import EVENT_KEY
from zimun_sync.store import SOURCE_SIDE, Entry, Store, quarantine

#: A place, and those that differ from it in one respect.
HERE = (SOURCE, STREAM, SOURCE_SIDE)
ELSEWHERE = [("other", STREAM, SOURCE_SIDE), (SOURCE, "staff", SOURCE_SIDE), (SOURCE, STREAM, "s")]


def the_entry(store: Store) -> Entry:
    [entry] = store.quarantine.entries()
    return entry


def place_of(entry: Entry) -> tuple[str, str, str]:
    return entry.source, entry.stream, entry.sink


def enter(store: Store, place: tuple[str, str, str], *keys: str) -> None:
    """Enter records of any place."""
    with store._database.write(durable=False) as connection:
        refused = [refusal(key) for key in keys]
        quarantine.put(store._database, connection, place, refused, ("run", 1))


@pytest.fixture
def everywhere(store: Store) -> list[Entry]:
    """One record refused here and elsewhere, in that order."""
    for place in [HERE, *ELSEWHERE]:
        enter(store, place, "a")
    return store.quarantine.entries()


def test_an_entry_keeps_the_bytes_and_the_reason(listing: Listing, store: Store) -> None:
    listing.page(refused=[Refused("a", "missing-time", "No start.", b'{"id": "a"}')])
    entry = the_entry(store)
    assert (entry.source, entry.stream, entry.sink) == (SOURCE, STREAM, SOURCE_SIDE)
    assert (entry.key, entry.status, entry.attempts) == ("a", "open", 1)
    assert (entry.code, entry.message, entry.raw) == ("missing-time", "No start.", b'{"id": "a"}')
    assert entry.run_id == listing.run.run_id
    assert store.quarantine.entry(entry.id) == entry


def test_one_entry_a_record_however_often_it_is_refused(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("a", b"1"), refusal("b")])
    first = store.quarantine.entries()
    listing.page(refused=[Refused("a", "wrong-type", "Now this.", b"2")])
    again, other = store.quarantine.entries()
    assert (again.id, again.attempts, again.first_at) == (first[0].id, 2, first[0].first_at)
    assert (again.code, again.message, again.raw) == ("wrong-type", "Now this.", b"2")
    assert again.last_at > first[0].last_at
    assert other == first[1]


def test_a_page_that_refuses_a_record_twice(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("a", b"1"), refusal("a", b"2")])
    assert (the_entry(store).attempts, the_entry(store).raw) == (2, b"2")


def test_a_good_version_closes_the_entry(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("a"), refusal("b")])
    number = store.quarantine.entries()[0].id
    listing.page(record("a"))
    assert [entry.key for entry in store.quarantine.entries()] == ["b"]
    closed = store.quarantine.entry(number)
    assert (closed.status, closed.raw) == ("closed", None)


def test_a_closed_entry_opens_again_when_the_record_goes_bad_again(
    listing: Listing, store: Store
) -> None:
    listing.page(refused=[refusal("a", b"1")])
    number = the_entry(store).id
    listing.page(record("a"))
    listing.page(refused=[refusal("a", b"2")])
    entry = the_entry(store)
    assert (entry.id, entry.status, entry.raw) == (number, "open", b"2")


def test_a_retry_waits_until_it_is_taken_up(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("a"), refusal("b")])
    first, _ = store.quarantine.entries()
    marked = store.quarantine.mark(first.id, "retry")
    assert (marked.status, marked.raw, marked.last_at) == ("retry", b"{}", first.last_at)
    assert store.quarantine.retrying(SOURCE, STREAM, SOURCE_SIDE) == [marked]
    assert store.quarantine.retrying(SOURCE, STREAM, "files") == []
    assert len(store.quarantine.entries()) == 2
    listing.page(record("a"))
    assert store.quarantine.retrying(SOURCE, STREAM, SOURCE_SIDE) == []


def test_what_was_dropped_stays_dropped_while_it_is_the_same(
    listing: Listing, store: Store
) -> None:
    listing.page(refused=[refusal("a", b"1")])
    number = the_entry(store).id
    assert store.quarantine.mark(number, "dropped").raw is None
    again = listing.page(refused=[refusal("a", b"1")])
    assert again.run.quarantined == 1
    assert again.run.records == 2
    assert store.quarantine.entries() == []
    listing.page(refused=[refusal("a", b"2")])
    assert (the_entry(store).id, the_entry(store).status) == (number, "open")


def test_what_was_dropped_stays_so_when_a_listing_does_not_bring_it(
    listing: Listing, store: Store
) -> None:
    listing.page(refused=[refusal("a")])
    number = the_entry(store).id
    store.quarantine.mark(number, "dropped")
    later = start(store, listing.lease)
    later.page(token=None)
    later.succeed()
    assert store.quarantine.entry(number).status == "dropped"


def test_entries_are_shown_oldest_first(store: Store) -> None:
    enter(store, HERE, "b", "c", "a")
    assert [entry.key for entry in store.quarantine.entries(source=SOURCE)] == ["b", "c", "a"]


def test_a_complete_listing_closes_what_it_no_longer_brings(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("gone"), refusal("still bad")], token=None)
    listing.succeed()
    assert len(store.quarantine.entries()) == 2
    later = start(store, listing.lease)
    later.page(refused=[refusal("still bad")], token=None)
    assert len(store.quarantine.entries()) == 2
    later.succeed()
    assert [entry.key for entry in store.quarantine.entries()] == ["still bad"]


def test_what_is_closed_or_dropped_is_so_in_its_place_only(
    listing: Listing, everywhere: list[Entry], store: Store
) -> None:
    listing.page(record("a"))
    assert [place_of(entry) for entry in store.quarantine.entries()] == ELSEWHERE
    for entry in everywhere[1:]:
        store.quarantine.mark(entry.id, "dropped")
    listing.page(refused=[refusal("a")])
    assert place_of(the_entry(store)) == HERE


def test_a_complete_listing_closes_nothing_that_it_could_not_have_brought(
    listing: Listing, everywhere: list[Entry], store: Store
) -> None:
    enter(store, HERE, f"{EVENT_KEY}1")
    listing.page(token=None)
    listing.succeed()
    left = [(place_of(entry), entry.key) for entry in store.quarantine.entries()]
    assert left == [*((place, "a") for place in ELSEWHERE), (HERE, f"{EVENT_KEY}1")]
    closed = store.quarantine.entry(everywhere[0].id)
    assert (closed.status, closed.raw, closed.content) == ("closed", None, everywhere[0].content)


def test_a_listing_that_failed_or_was_partial_closes_nothing(
    listing: Listing, store: Store
) -> None:
    listing.page(refused=[refusal("a")], token=None)
    listing.succeed()
    start(store, listing.lease).fail()
    start(store, listing.lease).succeed(listed_everything=False)
    assert the_entry(store).key == "a"


def test_entries_are_counted_for_those_who_took_part(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("a"), refusal("b")])
    assert store.quarantine.count_open([SOURCE], ["files"]) == 2
    assert store.quarantine.count_open(["other"], ["files"]) == 0
    assert store.quarantine.entries(source="other") == []
    assert store.quarantine.entries(sink="files") == []
    assert len(store.quarantine.entries(source=SOURCE, sink=SOURCE_SIDE)) == 2


def test_entries_count_while_they_wait_in_the_places_asked_for(
    everywhere: list[Entry], store: Store
) -> None:
    assert store.quarantine.count_open([SOURCE], []) == 2
    assert store.quarantine.count_open([SOURCE, "other"], ["s"]) == 4
    assert store.quarantine.entries(sink="s") == everywhere[3:]
    assert store.quarantine.entries(source="other") == everywhere[1:2]
    store.quarantine.mark(everywhere[0].id, "dropped")
    assert store.quarantine.count_open([SOURCE], ["s"]) == 2


def test_a_retry_is_of_its_place_only(everywhere: list[Entry], store: Store) -> None:
    assert store.quarantine.marked(SOURCE) == store.quarantine.retrying(*HERE) == []
    here, _, staff, _ = [store.quarantine.mark(each.id, "retry") for each in everywhere]
    assert store.quarantine.retrying(*HERE) == [here]
    assert store.quarantine.marked(SOURCE) == [here, staff]


def test_a_person_closes_an_entry_and_its_bytes_are_let_go(
    everywhere: list[Entry], store: Store
) -> None:
    number = everywhere[0].id
    closed = store.quarantine.mark(number, "closed")
    assert (closed.status, closed.raw) == ("closed", None)
    assert store.quarantine.mark(number, "open") == closed
    assert store.quarantine.mark(number, "closed") == closed
    with pytest.raises(ConfigError, match="it no longer waits"):
        store.quarantine.mark(number, "dropped")


def test_an_entry_that_is_not_there(store: Store) -> None:
    with pytest.raises(ConfigError, match="no quarantine entry 7") as refused:
        store.quarantine.entry(7)
    assert "quarantine list" in refused.value.hint
    with pytest.raises(ConfigError, match="no quarantine entry 8"):
        store.quarantine.mark(8, "retry")


def test_a_closed_entry_has_nothing_left_to_retry(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("a")])
    number = the_entry(store).id
    listing.page(record("a"))
    with pytest.raises(ConfigError, match=f"entry {number} is closed") as refused:
        store.quarantine.mark(number, "retry")
    assert refused.value.hint
    assert store.quarantine.entry(number).status == "closed"
