"""What readers find: types, names, every stream; and two sinks at once in one process."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from zimun_sync.model import STREAMS
from zimun_sync.sinks import Freshness
from zimun_sync.testing import make_batch, upsert
from zimun_sync.testing.samples import awkward_batch

if TYPE_CHECKING:
    from tests.warehouse.conftest import Bench

TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "decimal": "DECIMAL(18,4)",
    "instant": "TIMESTAMP WITH TIME ZONE",
    "local_time": "TIMESTAMP",
    "date": "DATE",
    "json": "VARCHAR",
}


def test_every_stream_is_there_from_the_start_and_takes_rows(bench: "Bench") -> None:
    sink = bench.opened()
    for stream in STREAMS.values():
        found = dict(
            bench.sql(
                "SELECT column_name, data_type FROM information_schema.columns"
                f" WHERE table_schema = 'zimun' AND table_name = '{stream.name}'"
            )
        )
        wanted = {column.name: TYPES[column.type] for column in stream.columns}
        assert found == wanted | {"_hash": "VARCHAR", "_deleted": "BOOLEAN"}
        batch = awkward_batch(stream)
        assert sink.write(batch).applied == len(batch)
        ((rows, marked),) = bench.sql(
            f"SELECT count(*), count_if(_deleted) FROM zimun.{stream.name}"
        )
        assert (rows, marked) == (len(batch), 0)


def test_freshness_is_a_table(bench: "Bench") -> None:
    sink = bench.opened()
    at = datetime(2026, 11, 20, 3, tzinfo=UTC)
    for records in (1, 2):
        sink.show_freshness([Freshness("main", "staff", at, "succeeded", None, records, at)])
    assert bench.sql("SELECT _source, stream, last_pull_at, records FROM zimun.freshness") == [
        ("main", "staff", at, 2)
    ]


@pytest.mark.parametrize("rounds", [3])
def test_sinks_in_threads_of_one_process_do_not_mix(bench: "Bench", rounds: int) -> None:
    sinks = {name: bench.sink(credentials=f"{name}.duckdb", path=name) for name in ("one", "two")}

    def work(name: str) -> None:
        sinks[name].open(bench.context(name=name))
        for number in range(1, rounds + 1):
            assert sinks[name].write(make_batch(upsert(number, name, notes=name))).applied == (
                number == 1
            )
        sinks[name].close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, sinks))
    for name in sinks:
        bench.sink(credentials=f"{name}.duckdb")
        (bench.folder / "wh.duckdb").unlink(missing_ok=True)
        (bench.folder / f"{name}.duckdb").rename(bench.folder / "wh.duckdb")
        assert bench.notes() == {name: name}
