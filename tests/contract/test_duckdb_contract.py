from pathlib import Path

import duckdb

from zimun_connectors.duckdb import DuckdbSettings, connector
from zimun_sync.model import Stream
from zimun_sync.sinks import Sink
from zimun_sync.testing import SinkContract, SinkHarness, files_with
from zimun_sync.testing.harness import Content


class DuckdbHarness:
    """Sinks on one folder; rows are read through the views that analysts open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> Sink:
        return connector.build(DuckdbSettings(path=Path("zimun.duckdb"), model=False), self._folder)

    def rows(self, stream: Stream) -> Content:
        names = [column.name for column in stream.columns]
        with duckdb.connect(self._folder / "zimun.duckdb", read_only=True) as reader:
            reader.execute("SET TimeZone = 'UTC'")
            found = reader.sql(f'SELECT * FROM "{stream.name}"')
            assert found.columns == names
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        return {(row["_source"], row[stream.key]): row for row in rows}

    def unusable(self) -> Sink:
        (self._folder / "file").write_text("not a folder")
        return connector.build(DuckdbSettings(path=Path("file/zimun.duckdb")), self._folder)

    def residue(self, text: str) -> list[str]:
        return files_with(self._folder, text)


class TestDuckdbContract(SinkContract):
    def harness(self, folder: Path) -> SinkHarness:
        return DuckdbHarness(folder)
