"""What the sink remembers, what it does when that or the dataset is lost, and how it paces."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zimun_connectors.warehouse.memory import Held, Memory
from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.model import APPOINTMENTS, SERVICES
from zimun_sync.testing import delete, make_batch, make_row, upsert

if TYPE_CHECKING:
    from tests.warehouse.conftest import Bench

THREE = make_batch(*(upsert(seq, f"a_{seq}", notes=str(seq)) for seq in (1, 2, 3)))


def test_a_lost_memory_is_read_from_the_dataset(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(THREE)
    sink.write(make_batch(delete(4, "a_1")))
    sink.close()
    shutil.rmtree(bench.own)
    sink = bench.opened()
    result = sink.write(make_batch(*THREE.stored[1:], upsert(5, "a_2", notes="new")))
    assert (result.applied, result.unchanged) == (1, 2)
    assert bench.notes() == {"a_2": "new", "a_3": "3"}


def _steps_to_recall_half(path: Path, count: int) -> int:
    """Hundreds of instructions that SQLite takes to learn that half of the rows are gone."""
    told: list[None] = []
    memory = Memory(path)
    rows = [Held("main", f"a_{number}", number, "a" * 32) for number in range(count)]
    memory.recall("appointments", "main", [rows])
    memory.db.set_progress_handler(lambda: told.append(None), 100)
    memory.recall("appointments", "main", [rows[::2]])
    memory.db.set_progress_handler(None, 0)
    left = memory.db.execute("SELECT key FROM record")
    assert {key for (key,) in left} == {row.key for row in rows[::2]}
    memory.close()
    return len(told)


def test_a_dataset_that_lost_many_rows_takes_no_more_time_a_row(tmp_path: Path) -> None:
    few = _steps_to_recall_half(tmp_path / "few.sqlite", 500)
    many = _steps_to_recall_half(tmp_path / "many.sqlite", 4_000)
    assert many < 2 * 8 * few


def test_without_its_memory_too_a_sink_knows_that_the_store_fell_behind(bench: "Bench") -> None:
    bench.opened().write(THREE)
    bench.close()
    shutil.rmtree(bench.own)
    with pytest.raises(SinkBroken, match="ahead of the store") as caught:
        bench.sink().open(bench.context(heads={"main": 2}))
    assert caught.value.hint.endswith("zimun-sync adopt wh")


def test_after_an_adoption_a_lost_memory_believes_no_sequence(bench: "Bench") -> None:
    bench.opened().write(THREE)
    bench.close()
    adopting = bench.context(store_id="store-2", heads={"main": 1}, adopting=True)
    sink = bench.sink()
    sink.open(adopting)
    sink.adopt(adopting)
    sink.close()
    shutil.rmtree(bench.own)
    sink = bench.sink()
    sink.open(bench.context(store_id="store-2", heads={"main": 1}))
    assert sink.write(make_batch(upsert(1, "a_3", notes="first of all"))).applied == 1
    assert bench.notes()["a_3"] == "first of all"


def test_a_dataset_that_is_gone_is_not_silently_filled_by_half(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(THREE)
    sink.close()
    (bench.folder / "wh.duckdb").unlink()
    with pytest.raises(SinkBroken, match="no longer holds") as caught:
        bench.sink().open(bench.context())
    assert "zimun-sync adopt wh" in caught.value.hint
    sink = bench.sink()
    sink.open(bench.context(adopting=True))
    sink.adopt(bench.context())
    assert list(sink.read_back("main", APPOINTMENTS)) == []
    assert sink.write(THREE).applied == 3


def test_another_dataset_begins_with_nothing(bench: "Bench") -> None:
    first = bench.opened(path="own")
    first.write(THREE)
    first.close()
    second = bench.opened(path="own", dataset="other")
    assert second.fingerprint != first.fingerprint
    assert second.write(THREE).applied == 3


def test_two_sinks_never_fill_one_dataset(bench: "Bench") -> None:
    bench.opened().close()
    with pytest.raises(SinkBroken, match="filled by the sink 'wh'") as caught:
        bench.sink(path="another").open(bench.context(name="wh2"))
    assert "dataset" in caught.value.hint


def test_what_somebody_changed_is_found_and_a_replay_mends_it(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(THREE)
    bench.sql("DELETE FROM zimun.appointments WHERE appointment_id = 'a_1'")
    bench.sql("UPDATE zimun.appointments SET notes = 'x', _hash = '' WHERE appointment_id = 'a_2'")
    found = dict(sink.read_back("main", APPOINTMENTS))
    assert found == {"a_2": "", "a_3": THREE.stored[2].hash}
    result = sink.write(THREE)
    assert (result.applied, result.unchanged) == (2, 1)
    assert bench.notes() == {"a_1": "1", "a_2": "2", "a_3": "3"}


def test_a_row_that_is_there_twice_is_read_back_twice(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(THREE)
    bench.sql("INSERT INTO zimun.appointments FROM zimun.appointments LIMIT 1")
    assert len(list(sink.read_back("main", APPOINTMENTS))) == 4


def test_small_loads_keep_their_distance(bench: "Bench") -> None:
    sink = bench.opened(min_interval=60)
    sink.write(THREE)
    bench.wait(20)
    small = make_batch(upsert(4, "a_1", notes="later"))
    with pytest.raises(SinkUnavailable, match="min_interval") as caught:
        sink.write(small)
    assert caught.value.retry_after == 40
    assert sink.write(THREE).unchanged == 3  # nothing to load, nothing to wait for
    service = make_batch(upsert(5, "s", make_row(SERVICES, "s")), stream=SERVICES)
    assert sink.write(service).applied == 1
    assert sink.write(replace(THREE, source="second")).applied == 3
    sink.open(
        bench.context(heads={"main": 10, "second": 10})
    )  # as the engine does before it tries again
    with pytest.raises(SinkUnavailable):
        sink.write(small)
    bench.wait(40)
    assert sink.write(small).applied == 1


def test_many_records_do_not_wait(bench: "Bench") -> None:
    sink = bench.opened(min_interval=60)
    sink.write(THREE)
    many = make_batch(*(upsert(seq, f"b_{seq}") for seq in range(10, 5_010)))
    assert sink.write(many).applied == 5_000


def test_what_no_warehouse_holds_is_rejected_and_the_rest_written(bench: "Bench") -> None:
    sink = bench.opened()
    bad = [
        upsert(4, "nul", notes="a\0b"),
        upsert(5, "torn", notes="\ud800"),
        upsert(6, "huge", duration_minutes=2**64),
    ]
    result = sink.write(make_batch(*THREE.stored, *bad))
    assert result.applied == 3
    codes = {rejection.key: rejection.code for rejection in result.rejected}
    assert codes == {"nul": "nul-character", "torn": "unfit-value", "huge": "unfit-value"}
    assert bench.notes() == {"a_1": "1", "a_2": "2", "a_3": "3"}
    assert sink.write(make_batch(upsert(7, "nul", notes="ab"))).applied == 1


def test_a_row_altered_away_parks_the_sink_with_a_hint(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(THREE)
    bench.sql("DROP TABLE zimun.appointments")
    with pytest.raises(SinkBroken) as caught:
        sink.write(make_batch(upsert(4, "a_1", notes="4")))
    assert "changed the tables" in caught.value.hint
