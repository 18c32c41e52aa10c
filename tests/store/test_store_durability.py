"""Which commits outlive a power loss: what a sink, a person or a caller relies on afterwards."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.store.conftest import SOURCE, STREAM, Listing, State, Ticking, record, refusal
from zimun_sync.store import Delivered, ParkKind, Place, Store

PLACE = Place("files", SOURCE, STREAM)
NORMAL, FULL = 1, 2


@dataclass
class Work:
    """A listing with one entry in quarantine, and what changes it."""

    listing: Listing

    @property
    def store(self) -> Store:
        return self.listing.store

    def take_in(self) -> None:
        self.store.pages.take_in(self.listing.lease, self.listing.run, record("b"), 0)

    def begin(self) -> None:
        self.store.runs.begin(self.listing.lease, SOURCE, STREAM, "p")

    def restart(self) -> None:
        self.store.runs.restart_listing(self.listing.lease, self.listing.run)

    def begin_pass(self) -> None:
        self.store.runs.begin_pass(self.listing.lease, self.listing.run)

    def note_found_late(self) -> None:
        self.store.runs.note_found_late(self.listing.lease, self.listing.run, 1)

    def approve(self) -> None:
        self.store.runs.approve(self.listing.run.run_id)

    def deliver(self) -> None:
        delivered = Delivered(1, ["a"], (), "run")
        self.store.deliveries.record(self.listing.lease, PLACE, "v1", delivered, began_at=0)

    def park(self) -> None:
        self.store.deliveries.park("files", ParkKind.PAUSED, "Wanted.", "Wait.")

    def drop(self) -> None:
        [entry] = self.store.quarantine.entries()
        self.store.quarantine.mark(entry.id, "dropped")


@pytest.fixture
def state(tmp_path: Path, clock: Ticking) -> Iterator[State]:
    """On SQLite: PostgreSQL makes every commit durable."""
    with ExitStack() as stack:
        yield State("sqlite:///state.db", tmp_path, clock, stack)


@pytest.fixture
def work(listing: Listing) -> Work:
    listing.page(record("a"), refused=[refusal("bad")])
    return Work(listing)


@pytest.fixture
def levels(work: Work) -> list[int]:
    """How durable each commit from now on is, by SQLite's own word."""
    found: list[int] = []

    @sa.event.listens_for(work.store._database.engine, "commit")
    def note(connection: sa.Connection) -> None:
        found.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda work: work.listing.succeed(),
        lambda work: work.listing.fail(),
        Work.approve,
        Work.deliver,
        Work.park,
        Work.drop,
        lambda work: work.store.deliveries.mark_closed("files"),
        lambda work: work.store.deliveries.rewind("files"),
        lambda work: work.store.deliveries.unpark("files"),
    ],
)
def test_what_others_rely_on_outlives_a_power_loss(
    work: Work, levels: list[int], change: Callable[[Work], object]
) -> None:
    change(work)
    assert levels == [FULL]


@pytest.mark.parametrize(
    "change",
    [
        lambda work: work.listing.page(record("b")),
        lambda work: work.listing.correct(record("a", "Right", 5)),
        Work.take_in,
        Work.begin,
        Work.restart,
        Work.begin_pass,
        Work.note_found_late,
    ],
)
def test_what_the_source_would_tell_again_waits_for_no_disk(
    work: Work, levels: list[int], change: Callable[[Work], object]
) -> None:
    change(work)
    assert levels == [NORMAL]
