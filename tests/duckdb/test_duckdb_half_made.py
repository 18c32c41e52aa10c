"""A kill may cut short the first making of a file: the next opening makes it anew."""

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

PRIVATE = ("state.duckdb", "delta.duckdb", "freshness.duckdb")


def _cut(path: Path, length: int) -> None:
    path.parent.mkdir(parents=True)
    whole = path.with_name("whole")
    with duckdb.connect(whole) as database:
        database.execute("CREATE TABLE t AS FROM range(10_000)")
    path.write_bytes(whole.read_bytes()[:length])
    whole.unlink()


@pytest.mark.parametrize("length", [0, 100, 4_096, 12_287])
@pytest.mark.parametrize("name", PRIVATE)
def test_a_file_that_was_never_published_is_made_anew(
    bench: "Bench", name: str, length: int
) -> None:
    _cut(bench.data / "private" / name, length)
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1")))
    assert bench.query("SELECT count(*) FROM appointments") == [(1,)]
    sink.close()
    bench.opened().write(make_batch(upsert(2, "a_2")))
    assert bench.query("SELECT count(*) FROM appointments") == [(2,)]


def test_a_database_without_tables_passes_the_check(bench: "Bench") -> None:
    state = bench.data / "private" / "state.duckdb"
    state.parent.mkdir(parents=True)
    duckdb.connect(state).close()
    bench.sink().check(bench.context())


def test_a_database_whose_published_file_was_lost_keeps_its_rows(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    for published in [*bench.data.glob("*.duckdb"), bench.views]:
        published.unlink()
    bench.opened()
    assert bench.query("SELECT count(*) FROM appointments") == [(1,)]
