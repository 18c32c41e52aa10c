"""An API and a sink in memory that can be told to misbehave, and a store beside them."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.states import put_new_state
from zimun_sync.errors import NotFound, SourceError, ZimunSyncError
from zimun_sync.events import Event
from zimun_sync.model import STREAMS as MODEL
from zimun_sync.model import Stream
from zimun_sync.normalize import Rules
from zimun_sync.pipeline.deletions import DeletionRules
from zimun_sync.pipeline.passes import Paging
from zimun_sync.pipeline.report import SyncReport
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.pipeline.sync import Sync, SyncOptions
from zimun_sync.privacy import Guard
from zimun_sync.sinks import Batch, Sink, SinkContext, WriteResult
from zimun_sync.store import Store
from zimun_sync.zimun import Page

STREAMS = ("organization", "locations", "services", "staff", "resources", "appointments")
T0 = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)


def appointment(number: int, **changes: Any) -> dict[str, Any]:
    """An appointment as the API lists it."""
    return {
        "appointment_id": f"a_{number:05d}",
        "organization_id": "o_1",
        "location_id": "l_1",
        "appointment_time": "2026-12-01T09:45:00+01:00",
        "appointment_duration": 45,
        "status": "confirmed",
        "contact_name": "Ana",
        "price": {"amount": "45.00", "currency": "EUR"},
        "updated_at": "2026-11-01T00:00:00Z",
    } | changes


class FakeApi:
    """Listings in memory, paged by offset. `faults`: raised once by the call of that number."""

    def __init__(self, page_size: int = 10) -> None:
        self.items: dict[str, list[bytes] | None] = {name: [] for name in STREAMS}
        self.put("organization", {"organization_id": "o_1", "timezone": "Europe/Berlin"})
        self.put("locations", {"location_id": "l_1", "timezone": "Europe/Berlin"})
        self.page_size = page_size
        self.calls: list[tuple[str, str | None]] = []
        self.by_id_calls: list[str] = []
        self.unlisted: list[dict[str, Any]] = []
        self.on_record: Callable[[str], None] = lambda _key: None
        self.params: list[dict[str, str]] = []
        self.filters = False
        self.faults: dict[tuple[str, str | None], list[SourceError]] = {}
        self.next_tokens: dict[str | None, str] = {}
        self.now = T0

    def put(self, stream: str, *records: dict[str, Any] | bytes) -> None:
        """Set what a stream lists."""
        self.items[stream] = [
            each if isinstance(each, bytes) else json.dumps(each).encode() for each in records
        ]

    def move_on(self) -> None:
        """Another night: later than all that was stored, which the machine's clock timed."""
        self.now = max(self.now, datetime.now(UTC)) + timedelta(days=1)

    def fail(self, stream: str, page_token: str | None, *errors: SourceError) -> None:
        """Raise these errors, one a call, when that page is asked for."""
        self.faults[stream, page_token] = list(errors)

    def page(
        self,
        stream: str,
        page_token: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Page:
        self.calls.append((stream, page_token))
        self.params.append(dict(params or {}))
        faults = self.faults.get((stream, page_token))
        if faults:
            raise faults.pop(0)
        items = self.items[stream]
        if items is None:
            raise NotFound(f"No {stream}.")
        begin = int(page_token or 0)
        end = begin + self.page_size
        token = str(end) if end < len(items) else None
        if stream == "appointments":
            token = self.next_tokens.get(page_token, token)
        return self._page(items[begin:end], token, page_token)

    def record(self, stream: str, key: str) -> Page:
        self.by_id_calls.append(key)
        self.on_record(key)
        known = [json.dumps(each).encode() for each in self.unlisted]
        for item in (self.items[stream] or []) + known:
            if key.encode() in item:
                return self._page([item], None, None)
        raise NotFound(f"No {key}.")

    def _page(self, items: list[bytes], token: str | None, asked: str | None) -> Page:
        self.now += timedelta(milliseconds=1)
        raws = [msgspec.Raw(item) for item in items]
        return Page(raws, token, asked, self.now, self.now, 0)

    def listing_parameters(self, stream: str, params: Mapping[str, str] | None = None) -> str:
        return f"{stream}?page_size={self.page_size}&{params}"

    def changed_since(self, moment: datetime) -> dict[str, str]:
        return {"updated_since": moment.isoformat()} if self.filters else {}

    def has_by_id(self, stream: str) -> bool:
        return stream == "appointments"

    def tokens_of(self, stream: str) -> list[str | None]:
        """Page tokens that were asked for, in order."""
        return [token for name, token in self.calls if name == stream]


@dataclass
class MemorySink:
    """Holds rows by (source, stream, key). `on_write` may raise, or return a result instead."""

    rows: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    batches: list[Batch] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    on_write: Callable[[Batch], WriteResult | None] = lambda _batch: None
    on_open: Callable[[SinkContext], None] = lambda _context: None

    def open(self, context: SinkContext, /) -> None:
        self.on_open(context)
        self.opened += 1

    def write(self, batch: Batch, /) -> WriteResult:
        self.batches.append(batch)
        special = self.on_write(batch)
        if special is not None:
            return special
        for change in batch.changes:
            place = (batch.source, batch.stream.name, change.key)
            if change.row is None:
                self.rows.pop(place, None)
            else:
                self.rows[place] = dict(change.row)
        return WriteResult(len(batch))

    def close(self) -> None:
        self.closed += 1

    def keys(self, stream: str = "appointments") -> set[str]:
        """Keys held of one stream."""
        return {key for _, name, key in self.rows if name == stream}


class Bench:
    """A store, an API, sinks, and a sync that brings them together."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.api = FakeApi()
        self.sinks: dict[str, Sink] = {"memory": MemorySink()}
        self.events: list[Event] = []
        self.rules = Rules({}, {})
        self.columns: Mapping[str, Stream] = MODEL
        self.guards: Mapping[str, Guard] = {}
        self.options = SyncOptions(patience=0.0)
        self.checks = 500
        self.paging = Paging.STABLE  # one pass: what other tests count

    @property
    def sink(self) -> MemorySink:
        """The sink named `memory`."""
        sink = self.sinks["memory"]
        assert isinstance(sink, MemorySink)
        return sink

    def sync(self, *, full: bool = False, **apis: FakeApi) -> SyncReport:
        """One sync of source `main`, and of any others given by name."""
        rules = DeletionRules(checks=self.checks)
        jobs = [
            SourceJob(name, api, self.rules, STREAMS, rules, paging=self.paging)
            for name, api in ({"main": self.api} | apis).items()
        ]
        options = SyncOptions(full=full, patience=0.0, stop=self.options.stop)
        told, shown = self.events.append, (self.columns, self.guards)
        return Sync(self.store, jobs, self.sinks, told, options, *shown).run()

    def of(self, kind: type[Event]) -> list[Any]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    put_new_state(tmp_path)
    with Store.open("sqlite:///state.db", tmp_path) as opened:
        yield opened


@pytest.fixture
def make_appointment() -> Callable[..., dict[str, Any]]:
    return appointment


@pytest.fixture
def make_api() -> type[FakeApi]:
    return FakeApi


@pytest.fixture
def make_sink() -> type[MemorySink]:
    return MemorySink


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


@pytest.fixture
def broken() -> Callable[[type[ZimunSyncError]], Callable[..., None]]:
    """A function that always raises an error of that kind."""

    def make(kind: type[ZimunSyncError]) -> Callable[..., None]:
        def fail(*_args: object) -> None:
            raise kind("The sink says no.", hint="Mend it.")

        return fail

    return make
