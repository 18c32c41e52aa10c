"""The sandbox's business at a time of the test's choosing, pulled over HTTP into a store."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from tests.pipeline.conftest import MemorySink
from tests.states import put_new_state
from zimun_sync.normalize import Rules
from zimun_sync.pipeline.listings import Listings
from zimun_sync.pipeline.offers import HorizonRules
from zimun_sync.pipeline.report import SyncReport
from zimun_sync.pipeline.sources import SourceJob
from zimun_sync.pipeline.sync import Sync, SyncOptions
from zimun_sync.sandbox import Sandbox, SandboxOptions
from zimun_sync.sandbox.world.schedule import Question
from zimun_sync.store import Run, Store
from zimun_sync.zimun import ClientSettings, Page, Timing, ZimunClient

STREAMS = ("organization", "locations", "services", "staff", "holidays", "availability")
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
ZONES = {"l_berlin": BERLIN, "l_newyork": NEW_YORK}
#: A Tuesday, 06:30 in Berlin and 00:30 in New York: nobody has opened yet.
NIGHT = datetime(2027, 6, 15, 4, 30, tzinfo=UTC)

Key = tuple[str, str, str | None, date]


@dataclass
class Altered:
    """A client whose answers about availability are not as the sandbox gives them."""

    api: ZimunClient
    alter: Callable[[dict[str, Any]], None]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.api, name)

    def page(
        self, stream: str, token: str | None = None, params: Mapping[str, str] | None = None
    ) -> Page:
        page = self.api.page(stream, token, params)
        if stream not in {"availability", "holidays"}:
            return page
        answer = msgspec.json.decode(page.items[0])
        self.alter(answer)
        return replace(page, items=[msgspec.Raw(msgspec.json.encode(answer))])


@dataclass
class Shop:
    """A sandbox, a store and a sink that all live by the sandbox's clock."""

    sandbox: Sandbox
    store: Store
    api: Listings
    streams: tuple[str, ...] = STREAMS
    rules: HorizonRules = field(default_factory=lambda: HorizonRules(days=4))
    sink: MemorySink = field(default_factory=MemorySink)
    events: list[Any] = field(default_factory=list)
    stop: Event = field(default_factory=Event)
    on_event: Callable[[Any], None] = lambda _event: None

    @property
    def job(self) -> SourceJob:
        """What a sync needs to know of the business."""
        return SourceJob("main", self.api, Rules({}, {}), self.streams, horizon=self.rules)

    def sync(self) -> SyncReport:
        """One night."""
        options = SyncOptions(patience=0.0, stop=self.stop)
        return Sync(self.store, [self.job], {"memory": self.sink}, self._emit, options).run()

    def _emit(self, event: Any) -> None:
        self.events.append(event)
        self.on_event(event)

    def nights(self, count: int) -> list[SyncReport]:
        """So many nights, each a day after the one before."""
        reports = []
        for _ in range(count):
            self.sandbox.clock.advance(86_400)
            reports.append(self.sync())
        return reports

    def at(self, moment: datetime) -> None:
        """Move the clock."""
        self.sandbox.clock.advance((moment - self.sandbox.clock.now()).total_seconds())

    def rows(self, stream: str = "availability") -> list[dict[str, Any]]:
        """What the sink holds of a stream."""
        return [row for (_, name, _), row in self.sink.rows.items() if name == stream]

    def free(self) -> dict[Key, list[list[str]]]:
        """Free slots that the sink holds, by service, location, staff member and day."""
        return {
            (row["service_id"], row["location_id"], row["staff_id"], row["date"]): json.loads(
                row["slots"]
            )
            for row in self.rows()
        }

    def truth(self, *, by_staff: bool = True) -> dict[Key, list[list[str]]]:
        """The same as the sandbox's own schedule has it now."""
        found: dict[Key, list[list[str]]] = {}
        for service_id, location_id, staff_id in self.offers(by_staff=by_staff):
            zone = ZONES[location_id]
            today = self.sandbox.clock.now().astimezone(zone).date()
            days = [today + timedelta(days=ahead) for ahead in range(self.rules.days)]
            slots: dict[date, list[list[str]]] = {day: [] for day in days}
            question = Question(service_id, self.rules.days, staff_id, location_id)
            for slot in self.sandbox.world.bookings.schedule.availability(question)["slots"]:
                day = date.fromisoformat(slot["start"][:10])
                if day in slots:
                    slots[day].append([_utc(slot["start"]), _utc(slot["end"])])
            found |= {(service_id, location_id, staff_id, day): slots[day] for day in days}
        return found

    def offers(self, *, by_staff: bool = True) -> Iterator[tuple[str, str, str | None]]:
        """What can be asked for, by the sandbox's own catalogue."""
        catalog = self.sandbox.world.catalog
        for service_id, service in catalog.services.items():
            for location_id in service["location_ids"]:
                people = catalog.staff_for(service_id, location_id)
                yield from ((service_id, location_id, each) for each in people if by_staff)
                if not by_staff:
                    yield service_id, location_id, None

    def asked(self) -> int:
        """How many requests about availability the API has had."""
        return int(self.sandbox.observed.report()["requests"].get("availability", 0))

    def remove(self, stream: str, key: str) -> None:
        """Take a service or a staff member out of the business."""
        self.sandbox.world.collections[stream].remove(key)
        getattr(self.sandbox.world.catalog, stream).pop(key)

    def change(self, stream: str, key: str, **fields: Any) -> None:
        """Have the API list a record differently."""
        collection = self.sandbox.world.collections[stream]
        record = msgspec.json.decode(collection.get(key) or b"{}") | fields
        collection.put(key, msgspec.json.encode(record), 0)


def run_of(report: SyncReport, stream: str = "availability") -> Run:
    """A report's run of a stream."""
    return next(run for run in report.runs if run.stream == stream)


@contextmanager
def open_shop(folder: Path, moment: datetime = NIGHT, **options: Any) -> Iterator[Shop]:
    """A business whose clock stands at a moment."""
    today = moment.date()
    with Sandbox(SandboxOptions(appointments=400, today=today, **options)) as sandbox:
        now = sandbox.clock.now
        settings = ClientSettings.model_validate(
            {
                "base_url": sandbox.base_url,
                "client_id": sandbox.client_id,
                "client_secret": sandbox.client_secret,
                "max_attempts": 1,
            }
        )
        timing = Timing(clock=lambda: now().timestamp())
        put_new_state(folder)
        with (
            Store.open("sqlite:///state.db", folder, clock=now) as store,
            ZimunClient(settings, timing=timing) as client,
        ):
            shop = Shop(sandbox, store, client)
            shop.at(moment)
            yield shop


def _utc(stamp: str) -> str:
    return datetime.fromisoformat(stamp).astimezone(UTC).isoformat().replace("+00:00", "Z")
