"""A remote system that is away for a day, while the nights and the webhooks go on."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.pipeline.conftest import T0
from tests.pipeline.crm import Crm, CrmSink
from zimun_sync.errors import SinkUnavailable
from zimun_sync.model import to_micros
from zimun_sync.pipeline.ahead import in_turn
from zimun_sync.pipeline.contact import Surroundings, delivery_of
from zimun_sync.pipeline.deliver import Delivery, Progress
from zimun_sync.pipeline.inbox import Applying
from zimun_sync.pipeline.listings import EventSource
from zimun_sync.pipeline.pull import Extent
from zimun_sync.pipeline.sources import SourceJob, SourcePull
from zimun_sync.sinks import Batch, WriteResult
from zimun_sync.store import Received

Make = Callable[..., dict[str, Any]]
STREAMS = ["organization", "locations", "appointments"]
BOOKINGS = 40
TICK = timedelta(minutes=5)


class Day:
    """The daemon's steps on a clock that is moved by hand: inbox, nightly pull, two sinks."""

    def __init__(self, bench: Any, crm: Crm, make: Make) -> None:
        self.bench, self.crm, self.make = bench, crm, make
        self.now: datetime = T0
        self.due: dict[str, datetime] = {}
        self.waits: list[float] = []
        self.events = 0
        self.bookings = {n: make(n, contact_email=f"p{n}@example.com") for n in range(BOOKINGS)}
        bench.store.add_source("main")
        self.lease = bench.store.leases.acquire("source:main")
        self.at = Surroundings(bench.store, bench.events.append, bench.options.stop)
        bench.sinks["crm"] = CrmSink(crm, rows=7)
        self.deliveries = {name: self._delivery(name) for name in bench.sinks}

    def _delivery(self, name: str) -> Delivery:
        lease = self.bench.store.leases.acquire(f"sink:{name}")
        return delivery_of(name, self.bench.sinks[name], lease, {"main": STREAMS}, self.at)

    def pull(self) -> None:
        """The nightly listing of everything."""
        self.bench.api.put("appointments", *self.bookings.values())
        job = SourceJob("main", self.bench.api, self.bench.rules, STREAMS)
        stopping = self.bench.options.stop.is_set
        pull = SourcePull(job, self.bench.store, self.lease, in_turn, self.at.emit, stopping)
        assert all(run.status == "succeeded" for run in pull.runs(Extent.ANEW))

    def book(self, number: int, **changes: Any) -> None:
        """A webhook tells that a booking changed."""
        stamp = {"updated_at": self.now.isoformat()}
        self.bookings[number] = self.bookings[number] | changes | stamp
        body = {"type": "appointment.updated", "timestamp": stamp["updated_at"]}
        raw = json.dumps(body | {"data": self.bookings[number]}).encode()
        self.events += 1
        event = Received("main", f"e{self.events}", to_micros(self.now), raw)
        self.bench.store.inbox.add([event])
        source = EventSource("main", self.bench.rules, self.lease)
        while Applying(source, self.bench.store, self.at.emit).step():
            pass

    def deliver(self) -> None:
        """Let each sink take what it can; one that waits is left alone until its time."""
        for name, delivery in self.deliveries.items():
            if self.due.get(name, T0) > self.now:
                continue
            while (progress := delivery.step(more=False)) is Progress.DELIVERED:
                pass
            if progress is Progress.WAITING:
                self.due[name] = self.now + timedelta(seconds=delivery.wait)
                self.waits.append(delivery.wait)

    def pass_time(self, span: timedelta) -> Iterator[int]:
        """Number after number for every few minutes, each with its deliveries."""
        end, tick = self.now + span, 0
        while self.now < end:
            yield tick
            self.deliver()
            self.now += TICK
            tick += 1


@pytest.fixture
def day(bench: Any, make_appointment: Make) -> Iterator[Day]:
    """Everything delivered on the evening before, to both sinks."""
    with ExitStack() as stack:
        made = Day(bench, Crm(), make_appointment)
        made.pull()
        bench.store.activations.activate("crm", None, 1_000)
        made.deliver()
        assert len(made.crm.appointments) == len(bench.sink.keys()) == BOOKINGS
        for delivery in made.deliveries.values():
            stack.callback(delivery.close)
        yield made


def shown(day: Day) -> dict[str, str]:
    return {id_.removeprefix("a-"): each["status"] for id_, each in day.crm.appointments.items()}


def held(day: Day) -> dict[str, str]:
    rows = day.bench.sink.rows
    return {key: row["status"] for (_, stream, key), row in rows.items() if stream == STREAMS[-1]}


def truth(day: Day) -> dict[str, str]:
    return {each["appointment_id"]: each["status"] for each in day.bookings.values()}


STATUSES = ("confirmed", "no_show", "cancelled", "completed")


def live_through(day: Day, span: timedelta) -> None:
    """Each booking of some changes again and again; a pull in the night brings a new one."""
    for tick in day.pass_time(span):
        if tick % 2 == 0:
            number = tick // 2
            day.book(number % 20, status=STATUSES[number // 20 % 4], notes=f"{tick}")
        if tick == 20:
            day.bookings[99] = day.make(99, contact_email="new@example.com")
            day.pull()
        if tick % 12 == 11:
            assert held(day) == truth(day), "the other sink is never behind"


def test_a_day_without_the_crm_costs_one_write_for_each_changed_booking(day: Day) -> None:
    day.crm.down = True
    day.crm.writes.clear()
    live_through(day, timedelta(days=1))
    assert day.crm.writes == []
    assert held(day) == truth(day)
    assert "crm" not in day.bench.store.deliveries.parked()
    assert max(day.waits) <= 300

    day.crm.down = False
    for _ in day.pass_time(2 * TICK):
        pass
    assert shown(day) == truth(day)
    changed = [write for write in day.crm.writes if "appointment" in write]
    assert len(changed) == len(set(changed)) <= 21
    assert "create appointment a-a_00099" in changed
    assert day.bench.store.quarantine.entries(sink="crm") == []


def test_a_limit_that_the_crm_names_is_kept_while_the_backlog_drains(day: Day) -> None:
    day.crm.down = True
    live_through(day, timedelta(hours=4))
    day.crm.down = False
    calls = limit(day, timedelta(minutes=12))
    for _ in day.pass_time(timedelta(hours=2)):
        pass
    assert shown(day) == truth(day)
    assert len(calls) > 2
    assert min(later - earlier for earlier, later in pairwise(calls)) >= timedelta(minutes=12)


def limit(day: Day, gap: timedelta) -> list[datetime]:
    """Have the CRM take a call only so often; when it took one."""
    sink = day.bench.sinks["crm"]
    calls: list[datetime] = []
    writing = sink.write

    def limited(batch: Batch, /) -> WriteResult:
        free_at = calls[-1] + gap if calls else day.now
        if day.now < free_at:
            raise SinkUnavailable("Slow down.", retry_after=(free_at - day.now).total_seconds())
        calls.append(day.now)
        result: WriteResult = writing(batch)
        return result

    sink.write = limited
    return calls
