"""The Parquet sink passes the contract, read by two engines in processes of their own."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from zimun_connectors.parquet import ParquetSettings, connector
from zimun_sync.model import Stream
from zimun_sync.sinks import Sink
from zimun_sync.testing import SinkContract, files_with
from zimun_sync.testing.harness import Content

_READERS = Path(__file__).parents[1] / "parquet" / "readers.py"


class Reader:
    """A process that reads whatever folder it is asked for; one serves every test of a class."""

    def __init__(self, engine: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_READERS), engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def rows(self, folder: Path, stream: Stream) -> Content:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        pickle.dump((folder, stream.name), self._process.stdin)
        self._process.stdin.flush()
        names, rows = pickle.load(self._process.stdout)
        wanted = [column.name for column in stream.columns]
        assert names[: len(wanted)] == wanted
        assert names[len(wanted) :] in ([], ["month"])
        found: Content = {}
        for row in (dict(zip(names, values, strict=True)) for values in rows):
            place = (row["_source"], row[stream.key])
            assert place not in found, f"{place} is there twice"
            found[place] = row
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait() == 0


class ParquetHarness:
    """Sinks on one folder, and a reader beside them."""

    def __init__(self, folder: Path, reader: Reader | None) -> None:
        self._folder = folder
        self._reader = reader

    def make(self) -> Sink:
        return connector.build(ParquetSettings(path=Path("parquet")), self._folder)

    def rows(self, stream: Stream, /) -> Content:
        assert self._reader is not None
        return self._reader.rows(self._folder / "parquet", stream)

    def residue(self, text: str, /) -> list[str]:
        return files_with(self._folder, text)

    def unusable(self) -> Sink:
        (self._folder / "parquet").write_text("a file where the folder should be")
        return self.make()


class TestParquetContractDuckdb(SinkContract):
    engine: ClassVar[str] = "duckdb"
    reader: ClassVar[Reader | None] = None

    @classmethod
    def setup_class(cls) -> None:
        cls.reader = Reader(cls.engine)

    @classmethod
    def teardown_class(cls) -> None:
        assert cls.reader is not None
        cls.reader.close()

    def harness(self, folder: Path) -> ParquetHarness:
        return ParquetHarness(folder, self.reader)


class TestParquetContractPyarrow(TestParquetContractDuckdb):
    engine = "pyarrow"
