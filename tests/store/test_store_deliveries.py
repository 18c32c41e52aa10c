import pytest

from tests.store.conftest import SOURCE, STREAM, Listing, State, Ticking
from tests.store.conftest import record as stored
from zimun_sync.errors import LeaseLost
from zimun_sync.model import to_micros
from zimun_sync.sinks import Rejection
from zimun_sync.store import (
    LEASE_SECONDS,
    Delivered,
    Lease,
    Parked,
    ParkKind,
    Place,
    Store,
)

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
    assert store.deliveries.known("files")


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


def test_a_parked_sink_tells_why_and_since_when(store: Store) -> None:
    store.deliveries.park("files", ParkKind.REJECTIONS, "Too many.", "Look.")
    since = store.deliveries.parked()["files"].since
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
