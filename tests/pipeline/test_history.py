"""The history in DuckDB is the truth, whatever way and order versions came in."""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from tests.pipeline.conftest import Bench, FakeApi, MemorySink
from tests.pipeline.test_inbox import Mail
from zimun_sync.model import delivered, to_micros
from zimun_sync.pipeline import deliver
from zimun_sync.pipeline.adopt import Adoption
from zimun_sync.pipeline.contact import sink_context
from zimun_sync.pipeline.deliver import Delivery, Progress
from zimun_sync.sinks import Batch, Sink, connector
from zimun_sync.store import Received, Store
from zimun_sync.zimun import Page

STATUSES = ("held", "scheduled", "confirmed", "completed", "no_show", "cancelled")
BEGAN = datetime(2026, 9, 1, tzinfo=UTC)
#: What is compared: enough to tell any two versions of a life apart.
COLUMNS = "valid_from, valid_to, status, notes, starts_at, changed"


@dataclass(frozen=True)
class Life:
    """An appointment's versions, the first one first, as the API showed them in turn."""

    key: str
    versions: tuple[dict[str, Any], ...]

    @property
    def history(self) -> list[tuple[Any, ...]]:
        """The rows that it must have, told from the versions alone."""
        rows = [
            (
                _time(version["updated_at"]),
                version["status"],
                version["notes"],
                _time(version["appointment_time"]),
            )
            for version in self.versions
        ]
        ends = [row[0] for row in rows[1:]] + [None]
        changes = [None, *(_changed(*both) for both in pairwise(rows))]
        return [
            (start, end, status, notes, time, changed)
            for (start, status, notes, time), end, changed in zip(rows, ends, changes, strict=True)
        ]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _changed(before: tuple[Any, ...], after: tuple[Any, ...]) -> str:
    status = ["status", "source_status"] if before[1] != after[1] else []
    moved = ["starts_at", "ends_at", "local_start"] if before[3] != after[3] else []
    notes = ["notes"] if before[2] != after[2] else []
    return json.dumps([*status, *moved, *notes], separators=(",", ":"))


def _lives(make: Any, random: Random) -> list[Life]:
    lives = []
    for number in range(1_000):
        seconds = sorted(random.sample(range(5_000_000), random.randint(1, 5)))
        versions = tuple(
            make(
                number,
                updated_at=(BEGAN + timedelta(seconds=second)).isoformat(),
                status=random.choice(STATUSES),
                notes=f"note {turn}",
                appointment_time=f"2026-12-01T{random.randint(8, 17):02}:00:00+01:00",
            )
            for turn, second in enumerate(seconds)
        )
        lives.append(Life(versions[0]["appointment_id"], versions))
    return lives


class Wavering(FakeApi):
    """Lists some appointments as they were once; asked by id, it tells what is."""

    def __init__(self, lives: list[Life]) -> None:
        super().__init__(page_size=200)
        self.now = datetime.now(UTC) + timedelta(hours=1)  # later than what webhooks bring
        self.lives = {life.key: life for life in lives}

    def record(self, stream: str, key: str) -> Page:
        self.by_id_calls.append(key)
        return self._page([json.dumps(self.lives[key].versions[-1]).encode()], None, None)


@pytest.fixture
def wavering(make_appointment: Any, bench: Bench) -> Wavering:
    api = Wavering(_lives(make_appointment, Random(5)))
    bench.api = api
    return api


def test_a_thousand_lives_told_in_any_order_by_webhooks_and_pulls(
    wavering: Wavering, bench: Bench, tmp_path: Path
) -> None:
    random = Random(6)
    bench.sinks = {"analytics": _duckdb(tmp_path)}
    told = [version for life in wavering.lives.values() for version in life.versions] * 2
    random.shuffle(told)
    rounds = 4
    for turn in range(rounds):
        mail = Mail(bench)
        bench.store.inbox.add(_events(turn, told[turn::rounds]))
        mail.apply()
        bench.store.leases.release(mail.source.lease)
        wavering.put("appointments", *_listed(wavering, random))
        assert bench.sync().exit_code == 0
    assert wavering.by_id_calls, "no listing contradicted what stood"
    with duckdb.connect(tmp_path / "analytics.duckdb", read_only=True) as reader:
        reader.execute("SET TimeZone = 'UTC'")
        rows = reader.execute(
            f"SELECT appointment_id, {COLUMNS} FROM appointment_history ORDER BY 1, 2"
        ).fetchall()
    found: dict[str, list[tuple[Any, ...]]] = {}
    for key, *row in rows:
        found.setdefault(key, []).append(tuple(row))
    assert found == {life.key: life.history for life in wavering.lives.values()}


# -- how it comes to a sink -----------------------------------------------------------------------


@pytest.fixture
def delivery(bench: Bench, make_sink: Any, make_appointment: Any) -> Delivery:
    """Thirty appointments with two versions each, on their way to a sink that has nothing."""
    bench.sinks = {}
    for day in (1, 2):
        stamp = f"2026-11-0{day}T00:00:00Z"
        shown = [make_appointment(each, notes=f"{day}", updated_at=stamp) for each in range(30)]
        bench.api.put("appointments", *shown)
        bench.sync()
    return Delivery(
        name="memory",
        sink=make_sink(),
        store=bench.store,
        lease=bench.store.leases.acquire("sink:memory"),
        sources={"main": delivered(["appointments"])},
        context=lambda: sink_context(bench.store, "memory"),
        emit=bench.events.append,
        jitter=lambda: 1.0,
    )


def _deliver_all(delivery: Delivery) -> None:
    while delivery.step(more=False) is not Progress.IDLE:
        pass


def test_appointments_wait_for_all_their_versions(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "BATCH_ROWS", 15)
    _deliver_all(delivery)
    assert isinstance(delivery.sink, MemorySink)
    batches = [(each.stream.name, each.more) for each in delivery.sink.batches]
    versions = [more for stream, more in batches if stream == "appointment_versions"]
    assert versions == [True] * len(versions)  # appointments follow, and are shown with them
    assert [more for stream, more in batches if stream == "appointments"][-1] is False
    assert [stream for stream, _ in batches[: len(versions)]] == ["appointment_versions"] * 5


def test_versions_without_appointments_are_shown_by_themselves(
    delivery: Delivery, bench: Bench
) -> None:
    _deliver_all(delivery)
    assert isinstance(delivery.sink, MemorySink)
    delivery.sink.batches.clear()
    bench.store.deliveries.rewind("memory", stream="appointment_versions")
    _deliver_all(delivery)
    told = [(each.stream.name, each.more) for each in delivery.sink.batches]
    assert told == [("appointment_versions", False)]


def test_nothing_is_given_to_a_sink_that_a_power_loss_could_take_back(
    delivery: Delivery, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = []
    make_durable = bench.store.feed.make_durable

    def noted(source: str) -> None:
        make_durable(source)
        happened.append("durable")

    monkeypatch.setattr(bench.store.feed, "make_durable", noted)
    assert isinstance(delivery.sink, MemorySink)
    delivery.sink.on_write = lambda _batch: happened.append("written")
    _deliver_all(delivery)
    assert happened[:2] == ["durable", "written"]
    assert happened.count("durable") == happened.count("written")


def test_a_change_between_two_streams_waits_for_the_next_round(
    delivery: Delivery, bench: Bench, make_appointment: Any
) -> None:
    _deliver_all(delivery)
    mail = Mail(bench)

    def change(day: int) -> None:
        mail.send(make_appointment(1, notes=f"{day}", updated_at=f"2026-11-{day}T00:00:00Z"))
        mail.apply()

    def interfere(batch: Batch) -> None:
        if batch.stream.name == "appointment_versions" and len(batches) < 1:
            batches.append(batch)
            change(12)

    batches: list[Batch] = []
    change(11)
    sink = delivery.sink
    assert isinstance(sink, MemorySink)
    sink.on_write = interfere
    delivery.step(more=False)
    assert _shown(sink) <= _told(sink)
    _deliver_all(delivery)
    assert _shown(sink) == {"12"} <= _told(sink)


def _shown(sink: MemorySink) -> set[str]:
    return {sink.rows["main", "appointments", "a_00001"]["notes"]}


def _told(sink: MemorySink) -> set[str]:
    versions = (row for key, row in sink.rows.items() if key[1] == "appointment_versions")
    return {row["notes"] for row in versions if row["appointment_id"] == "a_00001"}


@pytest.mark.parametrize("lost", ["everything", "what came after the backup"])
def test_an_adopted_sink_keeps_no_version_that_the_state_does_not_know(
    lost: str, tmp_path: Path, make_appointment: Any
) -> None:
    def turn(day: int, status: str) -> None:
        with Store.open("sqlite:///state.db", tmp_path) as store:
            bench = Bench(store)
            bench.sinks = {"analytics": _duckdb(tmp_path)}
            stamp = f"2026-11-0{day}T00:00:00Z"
            bench.api.put("appointments", make_appointment(1, status=status, updated_at=stamp))
            bench.sync()

    turn(1, "held")
    shutil.copy(tmp_path / "state.db", tmp_path / "backup.db")
    turn(2, "confirmed")
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    if lost != "everything":
        shutil.copy(tmp_path / "backup.db", tmp_path / "state.db")
    streams = {"main": ["appointments"]}
    with Store.open("sqlite:///state.db", tmp_path) as store:
        store.add_source("main")
        with Adoption(store, "analytics", _duckdb(tmp_path)) as adoption:
            adoption.adopt(streams)
    turn(3, "cancelled")
    with duckdb.connect(tmp_path / "analytics.duckdb", read_only=True) as reader:
        present = "SELECT status FROM appointment_history WHERE valid_to IS NULL"
        assert reader.sql(present).fetchall() == [("cancelled",)]


def _duckdb(folder: Path) -> Sink:
    kind = connector("duckdb")
    return kind.build(kind.settings(path="analytics.duckdb"), folder)


def _events(turn: int, versions: list[dict[str, Any]]) -> list[Received]:
    sent_at = to_micros(BEGAN)
    return [
        Received(
            "main",
            f"e{turn}.{number}",
            sent_at,
            json.dumps({"type": "appointment.updated", "data": version}).encode(),
        )
        for number, version in enumerate(versions)
    ]


def _listed(api: Wavering, random: Random) -> list[dict[str, Any]]:
    """Every appointment, one in twenty as it was at some time."""
    return [
        random.choice(life.versions) if random.random() < 0.05 else life.versions[-1]
        for life in api.lives.values()
    ]
