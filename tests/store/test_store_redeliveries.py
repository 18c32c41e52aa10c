"""Records that are to be delivered again, and what stands of records, on both databases."""

from tests.store.conftest import SOURCE, STREAM, Listing, record, refusal, start
from zimun_sync.sinks import Rejection
from zimun_sync.store import Delivered, Lease, Place, Store

PLACE = Place("crm", SOURCE, STREAM)


def waiting(store: Store) -> list[str]:
    return [entry.key for entry in store.redeliveries.of(PLACE)]


def deliver(store: Store, *keys: str, rejected: tuple[Rejection, ...] = ()) -> None:
    lease = store.leases.acquire("sink:crm")
    at = store.deliveries.offset(PLACE, "f")
    delivered = Delivered(at, keys, rejected, "run")
    assert store.deliveries.record(lease, PLACE, "f", delivered, began_at=at)
    store.leases.release(lease)


def test_asking_twice_is_asking_once(listing: Listing, store: Store) -> None:
    listing.page(record("a"), record("b"))
    for _ in range(2):
        store.redeliveries.ask(PLACE, ["b", "a", "unknown"])
    assert waiting(store) == ["a", "b", "unknown"]
    assert (store.redeliveries.count("crm"), store.redeliveries.count("other")) == (3, 0)
    assert set(store.deliveries.waiting("crm", SOURCE, {STREAM: "f"})) == {STREAM}
    deliver(store, "a", "unknown")
    assert waiting(store) == ["b"]
    store.redeliveries.ask(PLACE, ["a"])
    assert waiting(store) == ["a", "b"]


def test_what_was_rejected_is_left_to_a_person(listing: Listing, store: Store) -> None:
    listing.page(record("a"), record("b"))
    deliver(
        store, rejected=(Rejection("a", "bad-value", "No."), Rejection("b", "bad-value", "No."))
    )
    store.quarantine.mark(store.quarantine.entries()[1].id, "dropped")
    assert store.redeliveries.refused(PLACE) == {
        "a": ("open", "bad-value"),
        "b": ("dropped", "bad-value"),
    }
    store.redeliveries.ask(PLACE, ["a", "b"])
    assert waiting(store) == ["b"]
    assert store.redeliveries.refused(PLACE)["a"] == ("open", "bad-value")


def test_what_was_given_up_and_then_taken_is_given_up_no_more(
    listing: Listing, store: Store
) -> None:
    listing.page(record("a"), record("b"), refused=[refusal("c")])
    deliver(store, rejected=tuple(Rejection(key, "bad-value", "No.") for key in "ab"))
    for entry in store.quarantine.entries():
        store.quarantine.mark(entry.id, "dropped")
    deliver(store, "a")
    assert store.redeliveries.refused(PLACE) == {"b": ("dropped", "bad-value")}
    assert list(store.redeliveries.refused(Place("", SOURCE, STREAM))) == ["c"]
    store.redeliveries.ask(PLACE, ["a"])
    assert waiting(store) == ["a"]


def test_what_the_source_has_wrong_is_told_apart(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("a")])
    assert store.redeliveries.refused(PLACE) == {}
    assert list(store.redeliveries.refused(Place("", SOURCE, STREAM))) == ["a"]


def test_what_stands(listing: Listing, store: Store, lease: Lease) -> None:
    listing.page(record("a"), record("b"), record("c"), token=None)
    listing.succeed()
    gone = start(store, lease)
    gone.page(record("a"), record("b"), token=None)
    store.missing.bury(lease, gone.run, {"c": 10**17})
    standing = store.standing.of(SOURCE, STREAM, ["a", "c", "d"])
    assert {key: each.deleted for key, each in standing.items()} == {"a": False, "c": True}
    assert standing["a"].hash == record("a").hash
    assert sorted(store.standing.keys(SOURCE, STREAM)) == ["a", "b"]
    assert list(store.standing.keys("other", STREAM)) == []
