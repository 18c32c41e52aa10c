"""The table `freshness`: replaced as a whole beside the data, under readers' eyes."""

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zimun_connectors.duckdb import files
from zimun_sync.errors import SinkUnavailable
from zimun_sync.freshness import COLUMNS
from zimun_sync.sinks import Freshness, ShowsFreshness
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

HAMMER = Path(__file__).with_name("hammer.py")
ASKED = datetime(2026, 11, 20, 3, tzinfo=UTC)
SHOWN = ASKED + timedelta(minutes=5)
QUERY = "SELECT * FROM freshness ORDER BY ALL"
READS, SHOWS, STREAMS = 120, 30, 8


def row(stream: str = "appointments", records: int = 3, **changes: object) -> Freshness:
    given: dict[str, object] = {
        "source": "main",
        "stream": stream,
        "last_pull_at": ASKED,
        "last_pull_status": "succeeded",
        "last_change_at": ASKED,
        "records": records,
        "shown_at": SHOWN,
    }
    return Freshness(**(given | changes))  # type: ignore[arg-type]


def test_rows_take_the_place_of_all_before(bench: "Bench") -> None:
    sink = bench.opened()
    assert isinstance(sink, ShowsFreshness)
    assert bench.query(QUERY) == []
    sink.show_freshness([row(), row("staff")])
    never = row(last_pull_at=None, last_pull_status="failed", last_change_at=None)
    for _ in range(2):
        sink.show_freshness([never])
        assert bench.query(QUERY) == [("main", "appointments", None, "failed", None, 3, SHOWN)]


def test_it_touches_no_other_published_file(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1")))
    others = [bench.views, bench.data / "snapshot.duckdb", bench.data / "delta.duckdb"]
    before = [files.fingerprint(path) for path in others]
    sink.show_freshness([row()])
    assert [files.fingerprint(path) for path in others] == before


def test_it_outlives_the_process_and_a_lost_file_is_made_again(bench: "Bench") -> None:
    sink = bench.opened()
    sink.show_freshness([row()])
    sink.close()
    sink.open(bench.context())
    assert len(bench.query(QUERY)) == 1
    sink.close()
    (bench.data / "freshness.duckdb").unlink()
    sink.open(bench.context())
    assert bench.query(QUERY) == []


def test_a_publication_that_was_cut_short_is_finished_on_opening(
    bench: "Bench", monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = bench.opened()
    sink.show_freshness([row(records=1)])
    with monkeypatch.context() as cut:
        cut.setattr(files, "copy", _full)
        with pytest.raises(SinkUnavailable):
            sink.show_freshness([row(records=2)])
    assert [found[5] for found in bench.query(QUERY)] == [1]
    sink.close()
    sink.open(bench.context())
    assert [found[5] for found in bench.query(QUERY)] == [2]


def _full(*_: object, **__: object) -> None:
    raise SinkUnavailable("No space left on device.")


def test_every_column_says_what_it_means(bench: "Bench") -> None:
    bench.opened()
    found = bench.query(
        "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'freshness'"
        " AND database_name = 'zimun' ORDER BY column_index"
    )
    assert found == [(column.name, column.comment) for column in COLUMNS]


def test_a_database_of_an_earlier_release_gets_the_table(bench: "Bench") -> None:
    sink = bench.opened()
    sink.close()
    for file in (bench.data / "freshness.duckdb", bench.data / "private" / "freshness.duckdb"):
        file.unlink()
    bench.views.unlink()
    sink.open(bench.context())
    assert bench.query(QUERY) == []


def test_a_reader_in_another_process_sees_whole_tables_in_order(bench: "Bench") -> None:
    sink = bench.opened()
    sink.show_freshness(_table(0))
    question = "SELECT min(records), max(records), count(*) FROM freshness"
    command = [sys.executable, str(HAMMER), str(bench.views), question]
    answers: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert reader.stderr is not None
        collector = threading.Thread(target=answers.extend, args=(reader.stdout,))
        collector.start()
        number = 0
        while reader.poll() is None and (number < SHOWS or len(answers) < READS):
            number += 1
            sink.show_freshness(_table(number))
        reader.stdin.close()
        collector.join()
        assert reader.stderr.read() == ""
    seen = [tuple(map(int, answer.split())) for answer in answers]
    assert len(seen) >= READS
    assert all(least == most and count == STREAMS for least, most, count in seen)
    numbers = [number for number, _, _ in seen]
    assert numbers == sorted(numbers)
    assert numbers[0] < numbers[-1]


def _table(number: int) -> list[Freshness]:
    """All rows get the number of the show."""
    return [row(f"stream_{each}", records=number) for each in range(STREAMS)]
