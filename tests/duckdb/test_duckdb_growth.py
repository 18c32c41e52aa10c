"""The sink's files stay near the size that their rows need, night after night."""

import runpy
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.thorough import times
from zimun_connectors.duckdb import compaction, files, publish, sql
from zimun_sync.sinks import Batch
from zimun_sync.testing import appointment_row, delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

#: DuckDB has no smaller row groups.
GROUP = 2_048
ROWS = 8 * GROUP
#: The most that the files may grow to. A row group on the move is an eighth here; of 100,000 rows
#: it is a tenth, and of more it is less.
MOST = 1.6
CONTENT = "SELECT appointment_id, notes FROM appointments"
DOOMED = Path(__file__).with_name("doomed_forgetting.py")
#: What DuckDB reads of a file when it opens it for the first time.
HEADER = 12_288


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small table that has as many row groups, and those as many blocks, as a large one."""
    for name in ("STORAGE", "STORAGE_WITHOUT_LOG"):
        now = getattr(sql, name).replace(str(sql.ROW_GROUP_SIZE), str(GROUP))
        monkeypatch.setattr(sql, name, now)
    monkeypatch.setattr(sql, "ROW_GROUP_SIZE", GROUP)
    monkeypatch.setattr(sql, "BLOCK_SIZE", 16_384)
    monkeypatch.setattr(publish, "FOLDED_SIZE", 0)
    monkeypatch.setattr(publish, "DELTA_ROWS", ROWS)


class Table:
    """The appointments of one sink, some of which change each night."""

    def __init__(self, bench: "Bench") -> None:
        self.bench = bench
        self.content: dict[str, str] = {}
        self._seq = 0

    def load(self) -> None:
        sink = self.bench.opened()
        sink.write(self._batch(range(ROWS), "new"))
        sink.close()

    def night(self, number: int, changed: range) -> None:
        """A sync in a process of its own, with the pull's end."""
        self.bench.clock.advance(timedelta(days=1))
        sink = self.bench.opened()
        sink.write(self._batch(changed, f"night {number}"))
        sink.show_freshness(())
        sink.close()

    def _batch(self, numbers: range, note: str) -> Batch:
        first = self._seq
        self._seq += len(numbers)
        self.content |= {f"a_{number * 7919 % ROWS:05}": note for number in numbers}
        return make_batch(
            *(
                upsert(first + n, key, appointment_row(key, notes=note, contact_name=f"N {key}"))
                for n, key in enumerate((f"a_{number * 7919 % ROWS:05}" for number in numbers), 1)
            )
        )

    def sizes(self) -> tuple[int, int]:
        """Bytes of the data's folder, and of the published snapshot."""
        every = [path for path in self.bench.data.rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in every), self.snapshot.stat().st_size

    @property
    def snapshot(self) -> Path:
        return self.bench.data / "snapshot.duckdb"


def _hundredth(night: int) -> range:
    """Other appointments each night, spread over the whole table."""
    return range(night % 100, ROWS, 100)


@pytest.fixture
def table(bench: "Bench") -> Table:
    table = Table(bench)
    table.load()
    return table


def test_a_hundredth_changed_each_night_does_not_make_the_files_grow_on(table: Table) -> None:
    first, _ = table.sizes()
    for night in range(1, times(25, 200)):
        table.night(night, _hundredth(night))
        now, _ = table.sizes()
        assert now <= MOST * first, f"night {night}"
    assert dict(table.bench.query(CONTENT)) == table.content


def test_a_file_that_had_to_hold_everything_twice_gets_small_again(table: Table) -> None:
    first = table.sizes()
    table.night(1, range(ROWS))
    assert all(now > MOST * then for now, then in zip(table.sizes(), first, strict=True))
    for night in range(2, times(14, 60)):
        table.night(night, _hundredth(night))
    assert all(now <= MOST * then for now, then in zip(table.sizes(), first, strict=True))
    assert dict(table.bench.query(CONTENT)) == table.content


def test_readers_keep_what_they_hold_while_rows_move(table: Table) -> None:
    with (
        duckdb.connect(table.bench.views, read_only=True) as staying,
        duckdb.connect(table.bench.views, read_only=True) as slow,
    ):
        slow.execute(CONTENT)
        before, seen = dict(table.content), dict(slow.fetchmany(10))
        for night in range(1, 8):
            table.night(night, range(night, ROWS, 25))
            assert dict(staying.execute(CONTENT).fetchall()) == table.content
        seen |= dict(slow.fetchall())
    assert seen == before


def test_a_reader_caught_by_the_renaming_sees_the_former_rows(table: Table, tmp_path: Path) -> None:
    former, mixed = tmp_path / "former.duckdb", tmp_path / "mixed.duckdb"
    replaced = 0
    for night in range(1, 8):
        former.unlink(missing_ok=True)
        former.hardlink_to(table.snapshot)
        table.night(night, range(ROWS) if night == 1 else range(night, ROWS, 25))
        if not former.samefile(table.snapshot):
            replaced += 1
            mixed.write_bytes(former.read_bytes()[:HEADER] + table.snapshot.read_bytes()[HEADER:])
            assert _rows(mixed) == _rows(former)
    assert replaced > 5


def _rows(path: Path) -> tuple[Any, ...]:
    """How many rows, and a digest over all that they hold."""
    with duckdb.connect(path, read_only=True) as reader:
        query = "SELECT count(*), bit_xor(hash(a)) FROM appointments a"
        return reader.execute(query).fetchall()[0]


def test_a_nearly_full_disk_is_not_filled_further(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files.fingerprint(table.snapshot)
    usage = shutil.disk_usage(table.bench.data)._replace(free=table.sizes()[1])
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage)
        table.night(1, _hundredth(1))
        assert files.fingerprint(table.snapshot) == before
    table.night(2, _hundredth(2))
    assert files.fingerprint(table.snapshot) != before
    assert dict(table.bench.query(CONTENT)) == table.content


def test_nothing_is_written_anew_twice_in_a_row(table: Table) -> None:
    table.night(1, range(0, ROWS, 10))
    before = files.fingerprint(table.snapshot)
    sink = table.bench.opened()
    sink.show_freshness(())
    sink.show_freshness(())
    sink.close()
    assert files.fingerprint(table.snapshot) == before


@pytest.fixture(scope="module")
def doomed() -> dict[str, Any]:
    """The names of the script that dies."""
    return runpy.run_path(str(DOOMED))


#: The last writers live to the end.
@pytest.mark.parametrize("step", range(1, 70, times(13, 1)))
def test_killed_while_it_gets_smaller(
    bench: "Bench", doomed: dict[str, Any], step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner, name in ((publish, "FOLDED_SHARE"), (compaction, "DEAD_SHARE")):
        monkeypatch.setattr(owner, name, 0.0)
    sink = doomed["make_sink"](bench.folder)
    bench.sinks.append(sink)
    sink.open(doomed["context"]())
    sink.write(make_batch(*(upsert(n, f"a_{n}", notes="first") for n in range(1, 61))))
    sink.write(make_batch(*(upsert(n, f"a_{n % 60}", notes="later") for n in range(61, 67))))
    sink.close()
    before = bench.query(f"{CONTENT} ORDER BY ALL")

    command = [sys.executable, str(DOOMED), str(bench.folder), str(step), "pull"]
    died = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert died.returncode == -signal.SIGKILL or int(died.stdout) < step
    assert bench.query(f"{CONTENT} ORDER BY ALL") == before

    sink.open(doomed["context"](22))
    assert bench.query(f"{CONTENT} ORDER BY ALL") == before
    doomed["end_pull"](sink)
    sink.write(make_batch(upsert(67, "a_1", notes="new"), delete(68, "a_2")))
    expected = dict(before) | {"a_1": "new"}
    del expected["a_2"]
    assert dict(bench.query(CONTENT)) == expected
    assert not list(bench.data.rglob("*.new*"))
