"""Batches of more rows than a row group go to the private database at once, around its log."""

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import duckdb

from zimun_connectors.duckdb import sql
from zimun_sync.sinks import Batch
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

ROWS = sql.ROW_GROUP_SIZE + 1000
#: What DuckDB reads of a file when it opens it for the first time.
HEADER = 12_288


def _batch(first: int, *, seq: int, more: bool = False) -> Batch:
    keys = range(first, first + ROWS)
    changes = (upsert(seq + key, f"a_{key}", notes=f"{seq} {key}") for key in keys)
    return make_batch(*changes, more=more)


def _read(path: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(path, read_only=True) as reader:
        query = "SELECT appointment_id, notes FROM appointments ORDER BY ALL"
        return reader.execute(query).fetchall()


def test_a_large_batch_outlives_a_crash_without_filling_the_log(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(_batch(0, seq=0, more=True))
    assert (bench.data / "private" / "state.duckdb.wal").stat().st_size < 100 * ROWS
    sink._release()
    sink.open(bench.context())
    assert bench.query("SELECT count(*), count(DISTINCT notes) FROM appointments") == [(ROWS, ROWS)]
    assert sink.write(_batch(0, seq=0)).unchanged == ROWS


def test_a_reader_caught_by_the_renaming_sees_the_former_rows(bench: "Bench") -> None:
    sink = bench.opened()
    published, former = bench.data / "snapshot.duckdb", bench.folder / "former.duckdb"
    mixed = bench.folder / "mixed.duckdb"
    for round_, first in enumerate((0, ROWS // 2, 0, ROWS)):
        former.unlink(missing_ok=True)
        former.hardlink_to(published)
        sink.write(_batch(first, seq=(round_ + 1) * 10 * ROWS))
        assert not former.samefile(published)
        mixed.write_bytes(former.read_bytes()[:HEADER] + published.read_bytes()[HEADER:])
        assert _read(mixed) == _read(former)


def test_what_a_large_batch_repeats_is_left_alone(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(_batch(0, seq=0))
    again = [*_batch(0, seq=0).stored[1:], upsert(10 * ROWS, "a_0", notes="new")]
    result = sink.write(make_batch(*again))
    assert (result.applied, result.unchanged) == (1, ROWS - 1)
    assert bench.query("SELECT count(*), count(*) FILTER (notes = 'new') FROM appointments") == [
        (ROWS, 1)
    ]


def test_rows_too_wide_for_a_share_of_the_memory_take_what_they_need(bench: "Bench") -> None:
    sink, chance = bench.opened(memory_limit="32MB"), Random(0)
    for first in (0, ROWS // 2):
        keys = range(first, first + ROWS)
        notes = {key: chance.randbytes(600).hex() for key in keys}
        sink.write(make_batch(*(upsert(first + k + 1, f"a_{k}", notes=notes[k]) for k in keys)))
    found = bench.query("SELECT count(*), count(DISTINCT notes) FROM appointments")
    assert found == [(ROWS // 2 * 3, ROWS // 2 * 3)]
