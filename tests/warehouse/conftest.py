from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from zimun_connectors.warehouse import WarehouseSettings, connector
from zimun_sync.sinks import Sink, SinkContext


@dataclass
class Bench:
    """A warehouse in a DuckDB file, with everything a test does to it.

    Args:
        folder: the configuration's.
    """

    folder: Path
    now: datetime = datetime(2026, 11, 20, 3, tzinfo=UTC)
    sinks: list[Sink] = field(default_factory=list)

    @property
    def own(self) -> Path:
        """The sink's folder."""
        return self.folder / "duckdb-zimun.warehouse"

    def context(self, **changes: Any) -> SinkContext:
        usual = {"name": "wh", "store_id": "store-1", "heads": {"main": 10**9}}
        return SinkContext(**{**usual, "now": lambda: self.now, **changes})

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def sink(self, **settings: Any) -> Any:
        usual = {"destination": "duckdb", "credentials": "wh.duckdb", "min_interval": 0}
        sink = connector.build(WarehouseSettings.model_validate(usual | settings), self.folder)
        self.sinks.append(sink)
        return sink

    def opened(self, **settings: Any) -> Any:
        sink = self.sink(**settings)
        sink.open(self.context())
        return sink

    def sql(self, statement: str) -> list[Any]:
        """Run what somebody else might."""
        with duckdb.connect(self.folder / "wh.duckdb") as other:
            return other.execute(statement).fetchall()

    def notes(self) -> dict[str, str]:
        return dict(self.sql("SELECT appointment_id, notes FROM zimun.appointments"))

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
