"""Connectors that fail in ways their contract does not know, and interruptions."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event
from typing import Any

import pyarrow as pa
import pytest

from tests.acceptance.program import Project
from tests.pipeline.conftest import (
    Bench,
    MemorySink,
    appointment,
    bench,
    make_appointment,
    store,
)
from tests.verify.conftest import Cli, csv_text, opened
from zimun_sync.config import load
from zimun_sync.daemon.asks import Asks
from zimun_sync.daemon.engine import Engine
from zimun_sync.daemon.listeners import Listeners
from zimun_sync.model import STREAMS, Stream
from zimun_sync.pipeline.deliver import Delivery
from zimun_sync.pipeline.findings import Compared
from zimun_sync.pipeline.verify_sink import SinkComparison
from zimun_sync.pipeline.verify_sinks import SinkInQuestion, compare_here
from zimun_sync.privacy import OPEN
from zimun_sync.sinks import SinkContext
from zimun_sync.store import Place, Store
from zimun_sync.store.clock import utc_now
from zimun_sync.store.requests import Requests
from zimun_sync.tables import upserts_table

__all__ = ["bench", "make_appointment", "store"]

APPOINTMENTS = {"main": ["appointments"]}


class Reading(MemorySink):
    """Tells appointments in the order in which they came, those of `doubled` twice."""

    doubled: tuple[str, ...] = ()

    def read_back(self, source: str, stream: Stream, /) -> Iterator[tuple[str, str]]:
        hashes = {
            change.key: change.hash
            for batch in self.batches
            if (batch.source, batch.stream.name) == (source, stream.name)
            for change in batch.stored
        }
        for key in (*hashes, *self.doubled):
            if (source, stream.name, key) in self.rows:
                yield key, hashes[key]


class Showing(Reading):
    """Shows rows too, with durations of a type that somebody else chose."""

    def read_rows(self, source: str, stream: Stream, /) -> Iterator[pa.Table]:
        for batch in self.batches:
            if (batch.source, batch.stream.name) == (source, stream.name):
                rows = upserts_table(batch)
                at = rows.schema.get_field_index("duration_minutes")
                yield rows.set_column(at, "duration_minutes", pa.array(["x"] * len(rows)))


def fail(_context: SinkContext) -> None:
    raise RuntimeError("what no contract knows")


def test_a_connector_that_cannot_open_is_told_as_a_bug(bench: Bench) -> None:
    bench.api.put("appointments", appointment(1))
    bench.sinks = {"memory": Reading()}
    bench.sync()
    bench.sink.on_open = fail
    about = SinkInQuestion("memory", bench.sink, APPOINTMENTS, STREAMS, OPEN)
    [found] = compare_here(bench.store, about, Event(), lambda: False)
    assert found.failed.startswith("Its connector failed: RuntimeError at ")
    assert "what no contract knows" not in found.failed


def test_beside_the_daemon_too_and_the_daemon_goes_on(filed: Cli, project: Project) -> None:
    failures: list[BaseException] = []
    with opened(project) as state, ExitStack() as stack:
        engine = Engine(load(project.file), state, Listeners(), failures.append, print)
        delivery = delivery_to(state, Reading(on_open=fail))
        engine.deliveries = {"files": delivery}
        engine.jobs = {"main": stack.enter_context(job_of(project))}
        asks = Asks(state, lambda: engine, lambda: None, failures.append, print)
        number = state.requests.add("verify", {"sinks": ["files"], "sources": ["main"]})
        asks.step()
        while (outcome := state.requests.outcome(number)) is None:
            delivery.step(more=False)
        asks.close()
    [compared] = outcome["verified"]["compared"]
    assert compared["failed"].startswith("Its connector failed: RuntimeError at ")
    assert failures == []


def delivery_to(store: Store, sink: MemorySink) -> Delivery:
    lease = store.leases.acquire("sink:files")

    def context() -> SinkContext:
        return SinkContext("files", store.store_id, {}, utc_now)

    return Delivery("files", sink, store, lease, APPOINTMENTS, context, print, lambda: 0.5)


def job_of(project: Project) -> Any:
    from zimun_sync.wiring import source_job

    return source_job(load(project.file), "main", print, Event())


def test_a_column_of_another_type_differs_in_each_row(bench: Bench) -> None:
    bench.api.put("appointments", *map(appointment, range(2)))
    bench.sinks = {"memory": Showing()}
    bench.sync()
    found = compared(bench)
    assert [each.detail for each in found.findings] == ["duration_minutes"] * 2


def compared(bench: Bench) -> Compared:
    """Appointments in the sink, and as they are stored."""
    place, stream = Place("memory", "main", "appointments"), STREAMS["appointments"]
    return SinkComparison(bench.store, place, stream, bench.sink, OPEN, lambda: False).run()


def test_one_that_is_missing_beside_one_that_is_told_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By number they are all there."""
    monkeypatch.setattr("zimun_sync.pipeline.compare_rows._AT_ONCE", 2)
    bench.api.put("appointments", *map(appointment, range(3)))
    sink = Reading()
    bench.sinks = {"memory": sink}
    bench.sync()
    first, _, last = sorted(sink.keys())
    del sink.rows["main", "appointments", last]
    sink.doubled = (first,)
    assert [(each.key, each.kind) for each in compared(bench).findings] == [
        (last, "missing-in-sink")
    ]


def test_the_first_interrupt_ends_the_wait_for_the_daemon(
    filed: Cli, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Requests.add

    def add_and_interrupt(requests: Requests, kind: str, arguments: Any) -> int:
        number = add(requests, kind, arguments)
        signal.raise_signal(signal.SIGINT)
        return number

    monkeypatch.setattr(Requests, "add", add_and_interrupt)
    with opened(project) as state:
        lease = state.leases.acquire("daemon")  # one that never answers
        ended = filed("verify", "--no-source")
        state.leases.release(lease)
    assert (ended.code, "Ended early" in ended.err) == (1, True)


def test_a_sink_that_cannot_be_opened_is_not_begun_to_be_emptied(
    filed: Cli, project: Project
) -> None:
    before = csv_text(project)
    private = project.csv / ".zimun/state.sqlite"
    good = private.read_bytes()
    private.write_bytes(b"garbage" * 1_000)
    assert filed("reset", "files", "--yes").code != 0
    assert csv_text(project) == before
    private.write_bytes(good)
    status = filed("status", "--json").json["sinks"]["files"]
    assert (status["state"], status["lag"]["changes"]) == ("current", 0)
