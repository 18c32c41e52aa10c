"""A full disk, and what is asked of the disk before anything is acknowledged."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.store.conftest import SOURCE, STREAM, Feed, Ticking, record, refusal, start
from zimun_sync.errors import StoreError
from zimun_sync.sinks import Rejection
from zimun_sync.store import Delivered, Place, Store

_NO_LIMIT = 2**30


class Disk:
    """How many pages the database file may have: the first step to a full disk, without root."""

    def __init__(self, store: Store) -> None:
        self._limit = _NO_LIMIT
        sa.event.listen(store._database.engine, "checkout", self._apply)

    def fill(self) -> None:
        self._limit = 1  # SQLite raises it to what the file has

    def free(self) -> None:
        self._limit = _NO_LIMIT

    def _apply(self, connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self._limit}")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open("sqlite:///state.db", tmp_path, Ticking())
    store.add_source(SOURCE)
    return store


def full(write: Callable[[], object]) -> None:
    with pytest.raises(StoreError, match="disk is full") as raised:
        write()
    assert "nothing was lost" in raised.value.hint


def test_a_full_disk_stores_a_page_whole_or_not_at_all(store: Store, tmp_path: Path) -> None:
    disk, feed = Disk(store), Feed(store)
    listing = start(store, store.leases.acquire("source:main"))
    before = listing.page(record("a"), token="t2").run
    many = [record(f"k{number}", notes="x" * 500) for number in range(500)]
    disk.fill()
    full(lambda: listing.page(*many, refused=[refusal("b")], token="t3"))
    assert store.runs.get(before.run_id) == before
    assert feed.names() == {"a": "Cut"}
    assert store.quarantine.entries() == []
    disk.free()
    after = listing.page(*many, refused=[refusal("b")], token="t3").run
    assert (after.pages, after.records, after.page_token) == (2, 502, "t3")
    assert [change.seq for change in feed.changes()] == list(range(1, 502))
    store.close()
    with sqlite3.connect(tmp_path / "state.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_full_disk_advances_no_offset_without_its_rejections(store: Store) -> None:
    disk, place = Disk(store), Place("files", SOURCE, STREAM)
    lease = store.leases.acquire("sink:files")
    rejected = [Rejection(f"k{number}", "too-long", "x" * 500) for number in range(500)]
    disk.fill()
    full(
        lambda: store.deliveries.record(
            lease, place, "v1", Delivered(9, (), rejected, "r"), began_at=0
        )
    )
    assert store.deliveries.offset(place, "v1") == 0
    assert store.quarantine.entries() == []
    disk.free()
    store.deliveries.record(lease, place, "v1", Delivered(9, (), rejected, "r"), began_at=0)
    assert store.deliveries.offset(place, "v1") == 9
    assert len(store.quarantine.entries()) == 500
    store.close()


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_a_durable_write_asks_sqlite_to_sync_its_log(
    store: Store, durable: bool, level: int
) -> None:
    with store._database.write(durable=not durable):
        pass
    with store._database.write(durable=durable) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == level
    store.close()
