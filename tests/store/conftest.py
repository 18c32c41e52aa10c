"""The same state on SQLite and on PostgreSQL, records for it, and a listing that fills it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.states import put_new_state
from zimun_sync.errors import SourceUnavailable
from zimun_sync.model import SERVICES, from_micros
from zimun_sync.normalize import Normalized, Normalizer, Places, Refused, Rules
from zimun_sync.sinks import StoredChange
from zimun_sync.store import Lease, PageOutcome, PageRecords, Run, RunStatus, Store

SOURCE, STREAM = "main", "services"
NORMALIZER = Normalizer(SERVICES, Rules({}, {}), Places())
SECOND = 1_000_000


def record(key: str, name: str = "Cut", updated: int | None = 1, **more: Any) -> Normalized:
    """A service; `updated`: its `updated_at` in seconds since the epoch, None for no such field."""
    content: dict[str, Any] = {"service_id": key, "name": name} | more
    if updated is not None:
        content["updated_at"] = from_micros(updated * SECOND).isoformat()
    return NORMALIZER.normalize(json.dumps(content).encode())


def refusal(key: str, raw: bytes | None = b"{}") -> Refused:
    """A record that could not be normalized."""
    return Refused(key, "missing-time", "It has no time.", raw)


def name_of(change: StoredChange) -> str | None:
    """The service's name; None once it is deleted."""
    return None if change.row is None else change.row[2]


@dataclass
class Ticking:
    """A clock that moves a millisecond whenever it is looked at, and further when told."""

    now: datetime = datetime(2026, 11, 20, 3, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class State:
    """A place for a state; every store opened on it is closed with the test."""

    url: str
    folder: Path
    clock: Ticking
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def open(self, **options: Any) -> Store:
        store = Store.open(self.url, self.folder, self.clock, **options)
        return self.stack.enter_context(store)


@dataclass
class Listing:
    """One run of the stream, page by page."""

    store: Store
    lease: Lease
    run: Run

    def page(
        self,
        *records: Normalized,
        refused: Sequence[Refused] = (),
        token: str | None = "more",
        asked_at: int = 0,
    ) -> PageOutcome:
        """Commit a page; nothing asked for at 0 is ever disputed."""
        content = PageRecords(records, refused, token, asked_at)
        outcome = self.store.pages.commit(self.lease, self.run, content)
        self.run = outcome.run
        return outcome

    def correct(self, answer: Normalized, asked_at: int = 0) -> None:
        self.run = self.store.pages.correct(self.lease, self.run, answer, asked_at)

    def succeed(self, *, listed_everything: bool = True) -> Run:
        return self.store.runs.succeed(self.lease, self.run, listed_everything=listed_everything)

    def fail(self, status: RunStatus = RunStatus.FAILED) -> Run:
        trouble = SourceUnavailable("It is down.", hint="Wait.")
        return self.store.runs.finish(self.lease, self.run, status, trouble)


@dataclass
class Feed:
    """What readers see of the stream."""

    store: Store

    def changes(self, after: int = 0, limit: int = 100_000) -> list[StoredChange]:
        return list(self.store.feed.changes(SOURCE, STREAM, after, limit))

    def names(self) -> dict[str, str | None]:
        return {change.key: name_of(change) for change in self.changes()}

    def seqs(self) -> dict[str, int]:
        return {change.key: change.seq for change in self.changes()}


def start(store: Store, lease: Lease, *, fresh: bool = True) -> Listing:
    """Begin a run, or take it up."""
    return Listing(store, lease, store.runs.begin(lease, SOURCE, STREAM, "p", fresh=fresh))


def rows(store: Store, table: sa.Table) -> list[dict[str, Any]]:
    """A table as it stands, for what no public method shows."""
    with store._database.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, by its path there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture(params=["sqlite", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path, clock: Ticking) -> Iterator[State]:
    sqlite = request.param == "sqlite"
    url = "sqlite:///state.db" if sqlite else request.getfixturevalue("postgres_url")
    with ExitStack() as stack:
        yield State(url, tmp_path, clock, stack)


@pytest.fixture
def store(state: State) -> Store:
    if state.is_sqlite:
        put_new_state(state.folder)
    store = state.open()
    store.add_source(SOURCE)
    return store


@pytest.fixture
def lease(store: Store) -> Lease:
    return store.leases.acquire(f"source:{SOURCE}")


@pytest.fixture
def listing(store: Store, lease: Lease) -> Listing:
    return start(store, lease)


@pytest.fixture
def feed(store: Store) -> Feed:
    return Feed(store)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state with a few hundred records, closed."""
    put_new_state(tmp_path)
    with Store.open("sqlite:///state.db", tmp_path, Ticking()) as store:
        store.add_source(SOURCE)
        lease = store.leases.acquire("source:main")
        listing = start(store, lease)
        listing.page(*(record(f"k{number}", notes="x" * 200) for number in range(300)), token=None)
        store.leases.release(lease)
    return tmp_path / "state.db"
