"""A folder with a Parquet sink, and what is published in it."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from zimun_connectors.parquet import ParquetSettings, ParquetSink, connector
from zimun_sync.model import APPOINTMENTS, Stream
from zimun_sync.sinks import SinkContext
from zimun_sync.testing import sink_context


class Desk:
    """Opens sinks on one folder, on a clock that only moves when told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "parquet"
        self.now = datetime.fromisoformat("2026-11-20T23:30:00+00:00")
        self._sinks: list[ParquetSink] = []

    def context(self, *, looking: bool = False) -> SinkContext:
        context = sink_context()
        given = context.name, context.store_id, context.heads, lambda: self.now
        return SinkContext(*given, looking=looking)

    def make(self, **settings: Any) -> ParquetSink:
        sink = connector.build(ParquetSettings(path=Path("parquet"), **settings), self.folder)
        assert isinstance(sink, ParquetSink)
        self._sinks.append(sink)
        return sink

    def open(self, **settings: Any) -> ParquetSink:
        sink = self.make(**settings)
        sink.open(self.context())
        return sink

    def wait(self, **duration: float) -> None:
        self.now += timedelta(**duration)

    @property
    def version(self) -> Path:
        """The folder that readers begin with."""
        return (self.path / "current").resolve(strict=True)

    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.path / "versions").iterdir())

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.path / "current" / "_manifest.json").read_text())
        return found

    def files(self, stream: Stream = APPOINTMENTS) -> dict[str, Path]:
        """The stream's files by the folder they lie in, such as `month=2026-11`."""
        return {path.parent.name: path for path in self.version.glob(f"{stream.name}/**/*.parquet")}

    def table(self, stream: Stream = APPOINTMENTS) -> pa.Table:
        return ds.dataset(self.version / stream.name, partitioning="hive").to_table()

    def column(self, name: str, stream: Stream = APPOINTMENTS) -> dict[str, Any]:
        """One column's values by the record's key."""
        table = self.table(stream)
        keys = table[stream.key].to_pylist()
        assert len(set(keys)) == len(keys)
        return dict(zip(keys, table[name].to_pylist(), strict=True))

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()
