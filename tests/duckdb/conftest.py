from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from zimun_connectors.duckdb import DuckdbSettings, DuckdbSink, publish
from zimun_sync.model import STREAMS, Stream
from zimun_sync.sinks import SinkContext


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, step: timedelta) -> None:
        self.now += step


@dataclass
class Bench:
    """One sink's folder, with everything a test does to it.

    `model`: whether sinks have the model's views, which take half the time of making the files.
    """

    folder: Path
    clock: Clock = field(default_factory=Clock)
    streams: Mapping[str, Stream] = field(default_factory=lambda: STREAMS)
    sinks: list[DuckdbSink] = field(default_factory=list)
    model: bool = False

    @property
    def views(self) -> Path:
        return self.folder / "zimun.duckdb"

    @property
    def data(self) -> Path:
        return self.folder / "zimun.data"

    def context(self, **changes: Any) -> SinkContext:
        usual = {
            "name": "analytics",
            "store_id": "store-1",
            "heads": {"main": 10**9},
            "streams": self.streams,
        }
        return SinkContext(**{**usual, "now": self.clock, **changes})

    def sink(self, **settings: Any) -> DuckdbSink:
        settings.setdefault("model", self.model)
        sink = DuckdbSink(DuckdbSettings(path=Path("zimun.duckdb"), **settings), self.folder)
        self.sinks.append(sink)
        return sink

    def opened(self, **settings: Any) -> DuckdbSink:
        sink = self.sink(**settings)
        sink.open(self.context())
        return sink

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer an analyst gets who opens the views now."""
        return query(self.views, sql)


def query(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(database, read_only=True) as reader:
        reader.execute("SET TimeZone = 'UTC'")
        return reader.execute(sql).fetchall()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def small_deltas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshots after a handful of changes instead of thousands."""
    monkeypatch.setattr(publish, "DELTA_ROWS", 3)
