from collections.abc import Sequence
from typing import Any

import pytest

from tests.store.conftest import (
    SECOND,
    SOURCE,
    Feed,
    Listing,
    State,
    name_of,
    record,
    refusal,
    rows,
)
from zimun_sync.errors import LeaseLost, RecordInvalid
from zimun_sync.model import SERVICES, ColumnType
from zimun_sync.normalize import Normalized, Normalizer, Places, Promotion, Rules, unpack_row
from zimun_sync.promoting import entries_of
from zimun_sync.sinks import Batch
from zimun_sync.store import LEASE_SECONDS, SOURCE_SIDE, Store
from zimun_sync.store.schema import history, records

#: Rules by which a service is named after its `title`, where it has one.
TITLES = Normalizer(SERVICES, Rules({"services": {"name": ("title", "name")}}, {}), Places())


class Dying(Normalizer):
    """A normalizer in whose midst the power fails."""

    def __init__(self, survives: int) -> None:
        super().__init__(SERVICES, Rules({"services": {"name": ("title", "name")}}, {}), Places())
        self.left = survives

    def normalize_each(self, items: Sequence[bytes]) -> list[Normalized | RecordInvalid]:
        self.left -= len(items)
        if self.left < 0:
            raise KeyboardInterrupt
        return super().normalize_each(items)


class Refusing(Normalizer):
    """A normalizer that cannot read one of the records any more."""

    def normalize_each(self, items: Sequence[bytes]) -> list[Normalized | RecordInvalid]:
        refused = RecordInvalid("wrong-type", "It is not what it was.")
        found = zip(items, super().normalize_each(items), strict=True)
        return [refused if b'"b"' in raw else each for raw, each in found]


def test_only_rows_that_come_out_different_are_told_to_sinks(listing: Listing, feed: Feed) -> None:
    listing.page(record("a"), record("b", title="Balayage"), record("c"))
    store = listing.store
    assert store.renormalizer.run(listing.lease, SOURCE, TITLES) == 1
    assert feed.names() == {"a": "Cut", "c": "Cut", "b": "Balayage"}
    assert feed.seqs() == {"a": 1, "c": 3, "b": 4}
    assert store.renormalizer.run(listing.lease, SOURCE, TITLES) == 0
    assert feed.seqs()["b"] == 4


def test_what_the_new_rules_give_is_what_the_same_record_would_bring(
    listing: Listing, feed: Feed
) -> None:
    """The source lists the record again, unchanged: nothing is to be done."""
    titled = record("a", title="Balayage")
    listing.page(titled)
    listing.store.renormalizer.run(listing.lease, SOURCE, TITLES)
    again = TITLES.normalize(titled.raw)
    [change] = feed.changes()
    assert change.hash == again.row_hash.hex()
    assert listing.page(again).changed == 0


def test_a_row_is_not_changed_behind_the_back_of_sinks(listing: Listing, feed: Feed) -> None:
    """The source tells of the record before the new rules have come to its row."""
    listing.page(record("a", updated=None, title="Balayage"))
    again = TITLES.normalize(record("a", updated=None, title="Balayage").raw)
    assert listing.page(again, asked_at=9 * SECOND).changed == 0
    assert (feed.names(), feed.seqs()) == ({"a": "Cut"}, {"a": 1})
    assert listing.store.renormalizer.run(listing.lease, SOURCE, TITLES) == 1
    assert (feed.names(), feed.seqs()) == ({"a": "Balayage"}, {"a": 2})


def test_a_row_that_the_new_rules_cannot_read_stays(listing: Listing, feed: Feed) -> None:
    listing.page(record("a", title="Balayage"), record("b", title="Colour"))
    rules = Rules({"services": {"name": ("title", "name")}}, {})
    refusing = Refusing(SERVICES, rules, Places())
    assert listing.store.renormalizer.run(listing.lease, SOURCE, refusing) == 1
    assert feed.names() == {"b": "Cut", "a": "Balayage"}


def test_what_the_new_rules_cannot_read_is_in_quarantine_until_others_can(
    listing: Listing, store: Store
) -> None:
    listing.page(record("a"), record("b"))
    run = store.renormalizer.run
    refusing = Refusing(SERVICES, Rules({}, {}), Places())
    for _ in range(2):
        assert run(listing.lease, SOURCE, refusing) == 0
        [entry] = store.quarantine.entries()
        assert (entry.key, entry.code, entry.sink) == ("b", "wrong-type", SOURCE_SIDE)
    assert run(listing.lease, SOURCE, TITLES) == 0
    assert store.quarantine.entries() == []


def test_a_person_who_dropped_a_record_is_not_told_of_it_again(
    listing: Listing, store: Store
) -> None:
    listing.page(record("b"))
    refusing = Refusing(SERVICES, Rules({}, {}), Places())
    store.renormalizer.run(listing.lease, SOURCE, refusing)
    [entry] = store.quarantine.entries()
    store.quarantine.mark(entry.id, "dropped")
    store.renormalizer.run(listing.lease, SOURCE, refusing)
    assert store.quarantine.entries() == []


def promoting(**columns: ColumnType) -> Normalizer:
    promotions = {name: Promotion(name, kind) for name, kind in columns.items()}
    return Normalizer(SERVICES, Rules({}, {}, None, {"services": promotions}), Places())


def extras(feed: Feed) -> dict[str, str | None]:
    """What each record holds beside its columns."""
    batch = Batch(SOURCE, SERVICES, feed.changes())
    return {change.key: change.row["extra"] for change in batch.changes if change.row is not None}


def promoted(row: dict[str, Any]) -> dict[str, Any]:
    """The promoted values of a row of the table, by column."""
    found = entries_of(SERVICES, unpack_row(row["row"]))
    return {column: entry.value for column, entry in found.items()}


def test_promoting_touches_only_what_has_a_value(listing: Listing, feed: Feed) -> None:
    listing.page(record("a"), record("b", level=2), record("c", level=None))
    store = listing.store
    assert store.renormalizer.run(listing.lease, SOURCE, promoting(level=ColumnType.INTEGER)) == 2
    assert feed.seqs() == {"a": 1, "b": 4, "c": 5}  # c: its null was in `extra`
    assert store.renormalizer.run(listing.lease, SOURCE, promoting(level=ColumnType.TEXT)) == 1
    [entry] = store.quarantine.entries()
    assert entry.key == "b"
    assert extras(feed)["b"] == '{"level":2}'  # kept, though no column can show it
    assert store.renormalizer.run(listing.lease, SOURCE, promoting()) == 1
    assert store.quarantine.entries() == []
    assert extras(feed) == {"a": None, "b": '{"level":2}', "c": '{"level":null}'}


def test_tombstones_and_past_versions_follow(listing: Listing) -> None:
    listing.page(record("a", level=1), record("b", level=2))
    listing.page(record("a", level=3, updated=2), record("b", level=2))
    with listing.store._database.write(durable=False) as connection:
        connection.execute(
            records.update().where(records.c.key == "b").values(deleted=True, raw=b"")
        )
    run = listing.store.renormalizer.run
    assert run(listing.lease, SOURCE, promoting(level=ColumnType.INTEGER)) == 2
    assert [promoted(row) for row in rows(listing.store, history)] == [{"level": 1}]
    assert {row["key"]: promoted(row) for row in rows(listing.store, records)} == {
        "a": {"level": 3},
        "b": {"level": 2},
    }
    assert run(listing.lease, SOURCE, promoting()) == 2
    assert [promoted(row) for row in rows(listing.store, records)] == [{}, {}]


def test_deleted_records_are_left_alone(listing: Listing, feed: Feed) -> None:
    listing.page(record("a", title="Balayage"))
    with listing.store._database.write(durable=False) as connection:
        connection.execute(records.update().values(deleted=True))
    assert listing.store.renormalizer.run(listing.lease, SOURCE, TITLES) == 0
    assert [name_of(change) for change in feed.changes()] == [None]


def test_killed_halfway_it_begins_again_and_changes_nothing_twice(
    listing: Listing, feed: Feed
) -> None:
    listing.page(*(record(f"k{number:04}", title=f"T{number}") for number in range(2_500)))
    store = listing.store
    with pytest.raises(KeyboardInterrupt):
        store.renormalizer.run(listing.lease, SOURCE, Dying(survives=1_500))
    half = feed.seqs()
    assert sum(seq > 2_500 for seq in half.values()) == 1_000
    assert store.renormalizer.run(listing.lease, SOURCE, TITLES) == 1_500
    assert feed.names() == {f"k{number:04}": f"T{number}" for number in range(2_500)}
    assert {key: seq for key, seq in feed.seqs().items() if seq <= 3_500} == {
        key: seq for key, seq in half.items() if seq > 2_500
    }
    assert store.feed.heads() == {SOURCE: 5_000}


def test_what_could_not_be_read_before_is_tried_again(listing: Listing, store: Store) -> None:
    listing.page(refused=[refusal("a"), refusal("b")])
    first, second = store.quarantine.entries()
    store.quarantine.mark(second.id, "dropped")
    store.renormalizer.run(listing.lease, SOURCE, TITLES)
    waiting = store.quarantine.retrying(SOURCE, SERVICES.name, SOURCE_SIDE)
    assert [entry.id for entry in waiting] == [first.id]


def test_rules_are_current_once_every_stream_was_gone_through(
    listing: Listing, store: Store
) -> None:
    assert not store.renormalizer.is_current(SOURCE, "v2")
    store.renormalizer.mark_current(listing.lease, SOURCE, "v2")
    assert store.renormalizer.is_current(SOURCE, "v2")
    assert not store.renormalizer.is_current(SOURCE, "v3")


def test_a_zombie_renormalizes_nothing(state: State, listing: Listing, feed: Feed) -> None:
    listing.page(record("a", title="Balayage"))
    before = rows(listing.store, records)
    state.clock.forward(LEASE_SECONDS + 1)
    state.open().leases.acquire(listing.lease.name)
    with pytest.raises(LeaseLost):
        listing.store.renormalizer.run(listing.lease, SOURCE, TITLES)
    with pytest.raises(LeaseLost):
        listing.store.renormalizer.mark_current(listing.lease, SOURCE, "v2")
    assert rows(listing.store, records) == before
