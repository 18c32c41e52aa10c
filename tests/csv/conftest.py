"""A folder with a CSV sink, and the bytes that are published in it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zimun_connectors.csv import CsvSettings, CsvSink, connector
from zimun_sync.model import APPOINTMENTS, Stream
from zimun_sync.sinks import SinkContext
from zimun_sync.testing import sink_context


class Desk:
    """Opens sinks on one folder, on a clock that only moves when told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "csv"
        self.now = datetime.fromisoformat("2026-11-20T23:30:00+00:00")
        self._sinks: list[CsvSink] = []

    def context(self) -> SinkContext:
        context = sink_context()
        return SinkContext(context.name, context.store_id, context.heads, lambda: self.now)

    def make(self, **settings: Any) -> CsvSink:
        sink = connector.build(CsvSettings(path=Path("csv"), **settings), self.folder)
        assert isinstance(sink, CsvSink)
        self._sinks.append(sink)
        return sink

    def open(self, **settings: Any) -> CsvSink:
        sink = self.make(**settings)
        sink.open(self.context())
        return sink

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def file(self, stream: Stream = APPOINTMENTS) -> Path:
        return self.path / f"{stream.name}.csv"

    def text(self, stream: Stream = APPOINTMENTS) -> str:
        """The published file, line endings as they are."""
        return self.file(stream).read_bytes().decode("utf-8")

    def log(self, stream: Stream = APPOINTMENTS) -> Path:
        (found,) = (self.path / ".zimun").glob(f"{stream.name}.*.lines")
        return found

    def changes(self) -> dict[str, list[str]]:
        """Lines of every file of changes, by name."""
        folder = self.path / "changes"
        return {
            path.name: path.read_bytes().decode().splitlines() for path in sorted(folder.iterdir())
        }

    def close(self) -> None:
        for sink in self._sinks:
            sink.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Desk]:
    """A second folder, to compare with."""
    twin = Desk(tmp_path / "twin")
    yield twin
    twin.close()
