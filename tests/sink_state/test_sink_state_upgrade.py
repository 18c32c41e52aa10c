"""Sinks go on with the state that the release before left, which found records by their keys."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zimun_connectors import csv, parquet, warehouse
from zimun_sync.model import APPOINTMENTS, SERVICES
from zimun_sync.sinks import SinkContext
from zimun_sync.testing import delete, make_batch, make_row, sink_context, upsert

_CSV = {"path": Path("sink")}
_WAREHOUSE = {"destination": "duckdb", "credentials": "wh.duckdb", "min_interval": 0}


@dataclass(frozen=True)
class Kind:
    """A connector, and how its state of version 1 differs.

    Args:
        build: makes the sink in a folder.
        state: the state's file there.
        stream: what the column `stream` of its table `record` was called.
        own: the table's further columns.
    """

    build: Callable[[Path], Any]
    state: str
    stream: str
    own: tuple[str, ...] = ()

    def set_back(self, folder: Path) -> None:
        """Give the state the tables of version 1."""
        names = ", ".join((self.stream, "source", "key", "seq", "hash", *self.own))
        kept = names.replace(self.stream, "stream", 1)
        with closing(sqlite3.connect(folder / self.state, isolation_level=None)) as db:
            db.executescript(
                f"""
                ALTER TABLE record RENAME TO present;
                CREATE TABLE record ({names}, PRIMARY KEY ({self.stream}, source, key))
                    WITHOUT ROWID;
                INSERT INTO record SELECT {kept} FROM present;
                DROP TABLE present;
                PRAGMA user_version = 1;
                """
            )


KINDS = {
    "csv": Kind(
        lambda folder: csv.connector.build(csv.CsvSettings(path=Path("sink")), folder),
        "sink/.zimun/state.sqlite",
        "log",
        ("start", "length"),
    ),
    "parquet": Kind(
        lambda folder: parquet.connector.build(parquet.ParquetSettings(path=Path("sink")), folder),
        "sink/.zimun/state.sqlite",
        "stream",
        ("part",),
    ),
    "warehouse": Kind(
        lambda folder: warehouse.connector.build(
            warehouse.WarehouseSettings.model_validate(_WAREHOUSE), folder
        ),
        "duckdb-zimun.warehouse/memory.sqlite",
        "stream",
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def opened(kind: Kind, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    sinks: list[Any] = []

    def opened() -> Any:
        for former in sinks:
            former.close()
        sinks.append(kind.build(tmp_path))
        sinks[-1].open(_context())
        return sinks[-1]

    yield opened
    for sink in sinks:
        sink.close()


def _context() -> SinkContext:
    return sink_context(heads={"main": 100, "other": 100})


def test_what_was_written_stays_known(
    kind: Kind, opened: Callable[[], Any], tmp_path: Path
) -> None:
    first = [upsert(seq, f"a_{seq}", notes=str(seq)) for seq in range(1, 6)]
    service = upsert(9, "s_1", make_row(SERVICES, "s_1"))
    sink = opened()
    sink.write(make_batch(*first))
    sink.write(make_batch(delete(6, "a_1")))
    sink.write(make_batch(first[0], source="other"))
    sink.write(make_batch(service, stream=SERVICES))
    before = _held(sink)
    sink.close()
    kind.set_back(tmp_path)

    sink = opened()
    again = sink.write(make_batch(*first[1:]))
    assert (again.applied, again.unchanged) == (0, 4)
    assert _held(sink) == before
    late = sink.write(make_batch(upsert(3, "a_1", notes="late"), upsert(10, "a_2", notes="new")))
    assert (late.applied, late.unchanged) == (1, 1)
    keys = {at: sorted(key for key, _ in pairs) for at, pairs in _held(sink).items()}
    assert keys == {at: sorted(key for key, _ in pairs) for at, pairs in before.items()}
    assert _held(opened()) != before


def _held(sink: Any) -> dict[tuple[str, str], list[tuple[str, str]]]:
    return {
        (source, stream.name): sorted(sink.read_back(source, stream))
        for source in ("main", "other")
        for stream in (APPOINTMENTS, SERVICES)
    }
