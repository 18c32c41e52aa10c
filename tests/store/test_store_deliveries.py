import pytest

from tests.store.conftest import SOURCE, STREAM, Listing, State, Ticking, rows
from tests.store.conftest import record as stored
from zimun_sync.errors import LeaseLost
from zimun_sync.model import APPOINTMENT_VERSIONS, APPOINTMENTS, to_micros
from zimun_sync.sinks import Rejection
from zimun_sync.store import (
    LEASE_SECONDS,
    Delivered,
    Lease,
    PageRecords,
    Parked,
    ParkKind,
    Place,
    Store,
)
from zimun_sync.store.schema import history

PLACE = Place("files", SOURCE, STREAM)


@pytest.fixture
def lease(store: Store) -> Lease:
    return store.leases.acquire("sink:files")


def delivered(seq: int, *keys: str, rejected: tuple[str, ...] = ()) -> Delivered:
    refused = [Rejection(key, "invalid-email", f"{key} has no e-mail.") for key in rejected]
    return Delivered(seq, keys, refused, "run-1")


def record(store: Store, lease: Lease, place: Place, fingerprint: str, taken: Delivered) -> None:
    """Record a batch that began where the sink stands."""
    at = store.deliveries.offset(place, fingerprint)
    assert store.deliveries.record(lease, place, fingerprint, taken, began_at=at)


def test_a_sink_begins_at_0(store: Store) -> None:
    assert store.deliveries.offset(PLACE, "v1") == 0
    assert not store.deliveries.known("files")


def test_an_offset_advances_and_stays(state: State, store: Store, lease: Lease) -> None:
    record(store, lease, PLACE, "v1", delivered(5, "a"))
    record(store, lease, PLACE, "v1", delivered(9, "b"))
    assert state.open().deliveries.offset(PLACE, "v1") == 9


def test_sinks_that_took_something_are_known_whatever_the_stream(
    store: Store, lease: Lease
) -> None:
    for sink, stream in (("files", STREAM), ("files", "staff"), ("crm", STREAM)):
        record(store, lease, Place(sink, SOURCE, stream), "v1", delivered(5, "a"))
    assert store.deliveries.everybody() == ["crm", "files"]
    assert store.deliveries.places("files") == {(SOURCE, STREAM), (SOURCE, "staff")}
    assert store.deliveries.known("files")
    assert not store.deliveries.known("fil")


def test_what_a_sink_took_no_longer_waits_for_it(
    store: Store, lease: Lease, listing: Listing
) -> None:
    listing.page(stored("a"))
    assert store.deliveries.waiting("files", SOURCE, {STREAM: "v1"}) == {STREAM: 0}
    record(store, lease, PLACE, "v1", delivered(1, "a"))
    assert store.deliveries.waiting("files", SOURCE, {STREAM: "v1"}) == {}
    assert store.deliveries.waiting("crm", SOURCE, {STREAM: "v1"}) == {STREAM: 0}


def test_a_sink_is_left_open_until_it_is_closed_after_what_it_took(
    store: Store, lease: Lease
) -> None:
    assert not store.deliveries.left_open("files")
    for place in (PLACE, Place("files", SOURCE, "staff"), Place("crm", SOURCE, STREAM)):
        record(store, lease, place, "v1", delivered(5, "a"))
    assert store.deliveries.left_open("files")
    store.deliveries.mark_closed("files")
    assert not store.deliveries.left_open("files")
    assert store.deliveries.left_open("crm")
    record(store, lease, PLACE, "v1", delivered(6, "b"))
    assert store.deliveries.left_open("files")


def test_a_batch_under_way_does_not_undo_a_replay(store: Store, lease: Lease) -> None:
    record(store, lease, PLACE, "v1", delivered(5, "a"))
    store.deliveries.rewind("files")
    later = delivered(9, "b", rejected=("c",))
    assert not store.deliveries.record(lease, PLACE, "v1", later, began_at=5)
    assert store.deliveries.offset(PLACE, "v1") == 0
    assert store.quarantine.entries() == []


def test_a_replay_goes_back_to_what_was_stored_since_a_time(
    store: Store, lease: Lease, listing: Listing, clock: Ticking
) -> None:
    listing.page(*(stored(key) for key in "abc"))
    clock.forward(3600)
    since = to_micros(clock())
    listing.page(*(stored(key) for key in "def"))
    record(store, lease, PLACE, "v1", delivered(6, "f"))
    store.deliveries.rewind("files", to_micros(clock()) + 3_600_000_000)
    assert store.deliveries.offset(PLACE, "v1") == 6
    store.deliveries.rewind("files", since)
    assert store.deliveries.offset(PLACE, "v1") == 3
    store.deliveries.rewind("files", 0)
    assert store.deliveries.offset(PLACE, "v1") == 0


def bring(store: Store, source: str, stream: str, *keys: str, updated: int = 1) -> None:
    """Store records of any source and stream."""
    lease = store.leases.acquire(f"source:{source}")
    run = store.runs.begin(lease, source, stream, "p", fresh=True)
    page = PageRecords([stored(key, updated=updated) for key in keys], (), None, 0)
    store.pages.commit(lease, run, page)
    store.leases.release(lease)


def test_a_replay_since_a_time_looks_at_each_stream_by_itself(store: Store, lease: Lease) -> None:
    store.add_source("other")
    places = [PLACE, Place("files", SOURCE, "staff"), Place("files", "other", STREAM)]
    bring(store, SOURCE, STREAM, "a", "b", "c")
    bring(store, SOURCE, "staff", "d")
    bring(store, "other", STREAM, "e")
    bring(store, SOURCE, STREAM, "f", "g")
    [*_, first, last] = store.feed.changes(SOURCE, STREAM, 0, 9)
    assert (first.seq, first.observed_at) == (last.seq - 1, last.observed_at)
    bring(store, "other", STREAM, "h")
    for place in places:
        record(store, lease, place, "v1", delivered(9))
    store.deliveries.rewind("files", first.observed_at)
    assert [store.deliveries.offset(place, "v1") for place in places] == [first.seq - 1, 9, 1]


def test_a_replay_of_versions_looks_at_when_they_were_superseded(
    store: Store, lease: Lease
) -> None:
    versions = Place("files", SOURCE, APPOINTMENT_VERSIONS.name)
    store.add_source("other")
    for updated in (1, 2):
        bring(store, SOURCE, APPOINTMENTS.name, "a", updated=updated)
    bring(store, SOURCE, APPOINTMENTS.name, "b")
    for source, stream in (("other", APPOINTMENTS.name), (SOURCE, STREAM)):
        for updated in (1, 2):
            bring(store, source, stream, "c", updated=updated)
    bring(store, SOURCE, APPOINTMENTS.name, "b", updated=2)
    past = sorted((row["superseded_at"], row["seq"]) for row in rows(store, history))
    [_, (elsewhere, _), _, (latest, seq)] = past
    for since in (elsewhere, latest):
        record(store, lease, versions, f"{since}", delivered(99))
        store.deliveries.rewind("files", since)
        assert store.deliveries.offset(versions, f"{since}") == seq - 1


@pytest.mark.parametrize("since", [None, 0])
def test_a_replay_of_one_stream_leaves_the_others(
    store: Store, lease: Lease, listing: Listing, since: int | None
) -> None:
    staff = Place("files", SOURCE, "staff")
    listing.page(stored("a"))
    for place in (PLACE, staff):
        record(store, lease, place, "v1", delivered(5))
    store.deliveries.rewind("files", since, "staff")
    assert store.deliveries.offset(PLACE, "v1") == 5
    store.deliveries.rewind("files", since, STREAM)
    assert store.deliveries.offset(PLACE, "v1") == 0


def test_offsets_are_per_sink_source_and_stream(store: Store, lease: Lease) -> None:
    record(store, lease, PLACE, "v1", delivered(5, "a"))
    for other in (
        Place("crm", SOURCE, STREAM),
        Place("files", "other", STREAM),
        Place("files", SOURCE, "staff"),
    ):
        assert store.deliveries.offset(other, "v1") == 0
    assert not store.deliveries.known("crm")


def test_a_changed_fingerprint_delivers_everything_again(store: Store, lease: Lease) -> None:
    record(store, lease, PLACE, "v1", delivered(5, "a"))
    assert store.deliveries.offset(PLACE, "v2") == 0
    record(store, lease, PLACE, "v2", delivered(3, "a"))
    assert store.deliveries.offset(PLACE, "v2") == 3
    assert store.deliveries.offset(PLACE, "v1") == 0


def test_rejections_enter_quarantine_with_the_offset(store: Store, lease: Lease) -> None:
    record(store, lease, PLACE, "v1", delivered(5, "a", rejected=("b",)))
    [entry] = store.quarantine.entries(sink="files")
    assert (entry.source, entry.stream, entry.sink, entry.key) == (SOURCE, STREAM, "files", "b")
    assert (entry.code, entry.message) == ("invalid-email", "b has no e-mail.")
    assert (entry.run_id, entry.raw, entry.status) == ("run-1", None, "open")
    assert store.deliveries.offset(PLACE, "v1") == 5


def test_a_record_that_the_sink_takes_leaves_quarantine(store: Store, lease: Lease) -> None:
    record(store, lease, PLACE, "v1", delivered(5, rejected=("a", "b")))
    record(store, lease, PLACE, "v1", delivered(6, "a", rejected=("b",)))
    [entry] = store.quarantine.entries()
    assert (entry.key, entry.attempts) == ("b", 2)


def test_a_delivery_touches_no_other_place_of_quarantine(store: Store, lease: Lease) -> None:
    other = Place("files", SOURCE, "staff")
    record(store, lease, other, "v1", delivered(4, rejected=("a",)))
    record(store, lease, PLACE, "v1", delivered(5, "a"))
    assert [entry.stream for entry in store.quarantine.entries()] == ["staff"]


def test_a_zombie_records_neither_offset_nor_rejections(
    state: State, store: Store, lease: Lease
) -> None:
    state.clock.forward(LEASE_SECONDS + 1)
    heir = state.open()
    heir_lease = heir.leases.acquire("sink:files")
    with pytest.raises(LeaseLost):
        record(store, lease, PLACE, "v1", delivered(9, rejected=("b",)))
    assert store.deliveries.offset(PLACE, "v1") == 0
    assert store.quarantine.entries() == []
    heir.deliveries.record(heir_lease, PLACE, "v1", delivered(5, "a"), began_at=0)
    assert store.deliveries.offset(PLACE, "v1") == 5


def test_rewinding_delivers_to_one_sink_again(store: Store, lease: Lease) -> None:
    crm = Place("crm", SOURCE, STREAM)
    record(store, lease, PLACE, "v1", delivered(5, "a"))
    record(store, lease, crm, "v1", delivered(5, "a"))
    store.deliveries.rewind("files")
    assert store.deliveries.offset(PLACE, "v1") == 0
    assert store.deliveries.offset(crm, "v1") == 5


def test_a_parked_sink_tells_why_and_since_when(store: Store, clock: Ticking) -> None:
    store.deliveries.park("files", ParkKind.REJECTIONS, "Too many.", "Look.")
    since = to_micros(clock.now)
    store.deliveries.park("files", ParkKind.BROKEN, "No such folder.", "Make it.")
    expected = Parked(ParkKind.BROKEN, "No such folder.", "Make it.", since)
    assert store.deliveries.parked() == {"files": expected}
    store.deliveries.unpark("files")
    store.deliveries.unpark("files")
    assert store.deliveries.parked() == {}


def test_words_from_outside_are_stored_whatever_they_hold(store: Store, lease: Lease) -> None:
    """A sink's own words may hold what no database stores: NUL and halves of characters."""
    odd = Rejection("a", "odd", "zero \0 half \ud800")
    record(store, lease, PLACE, "v1", Delivered(1, (), [odd], "run-1"))
    store.deliveries.park("files", ParkKind.BROKEN, odd.message, odd.message)
    [entry] = store.quarantine.entries()
    assert entry.message == store.deliveries.parked()["files"].reason
    assert entry.message.startswith("zero ")
