"""`freshness.parquet`: replaced as a whole beside the versions, under readers' eyes."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zimun_sync.errors import SinkBroken
from zimun_sync.freshness import COLUMNS
from zimun_sync.sinks import Freshness, ShowsFreshness
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.parquet.conftest import Desk

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
READER = Path(__file__).parents[1] / "duckdb" / "hammer.py"
READS, SHOWS, STREAMS = 120, 30, 8


def _rows(records: int, count: int = 1) -> list[Freshness]:
    return [
        Freshness("main", f"stream_{each}", None, "failed", AT, records, AT)
        for each in range(count)
    ]


def test_rows_take_the_place_of_all_before(desk: "Desk") -> None:
    sink = desk.open()
    assert isinstance(sink, ShowsFreshness)
    sink.show_freshness(_rows(1, count=3))
    sink.show_freshness(_rows(2))
    found = pq.read_table(desk.path / "freshness.parquet")
    assert [tuple(each.values()) for each in found.to_pylist()] == [_rows(2)[0].values]
    assert found.schema.field("shown_at").type == pa.timestamp("us", "UTC")
    comments = [field.metadata[b"comment"].decode() for field in found.schema]
    assert comments == [column.comment for column in COLUMNS]


def test_it_makes_no_version(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1")))
    before = desk.versions()
    sink.show_freshness(_rows(1))
    sink.close()
    sink.open(desk.context())
    assert desk.versions() == before
    assert pq.read_table(desk.path / "freshness.parquet").num_rows == 1


def test_somebody_elses_file_is_left_alone(desk: "Desk") -> None:
    desk.path.mkdir()
    mine = desk.path / "freshness.parquet"
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(SinkBroken, match=r"freshness\.parquet"):
        desk.open()
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_closed_sink_shows_nothing(desk: "Desk") -> None:
    sink = desk.open()
    sink.close()
    with pytest.raises(RuntimeError, match="open"):
        sink.show_freshness(_rows(1))


def test_a_reader_in_another_process_sees_whole_tables_in_order(desk: "Desk") -> None:
    sink = desk.open()
    sink.show_freshness(_rows(0, STREAMS))
    file, empty = desk.path / "freshness.parquet", desk.folder / "empty.duckdb"
    duckdb.connect(empty).close()
    question = f"SELECT min(records), max(records), count(*) FROM '{file}'"
    answers: list[str] = []
    with subprocess.Popen(
        [sys.executable, str(READER), str(empty), question],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stderr is not None
        collector = threading.Thread(target=answers.extend, args=(reader.stdout,))
        collector.start()
        number = 0
        while reader.poll() is None and (number < SHOWS or len(answers) < READS):
            number += 1
            sink.show_freshness(_rows(number, STREAMS))
        reader.stdin.close()
        collector.join()
        assert reader.stderr.read() == ""
    seen = [tuple(map(int, answer.split())) for answer in answers]
    assert len(seen) >= READS
    assert all(least == most and count == STREAMS for least, most, count in seen)
    numbers = [number for number, _, _ in seen]
    assert numbers == sorted(numbers)
