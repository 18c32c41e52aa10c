"""What readers find in the published files, and when they are replaced."""

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from zimun_connectors.duckdb import DuckdbSink, files, publish, sql
from zimun_sync.errors import SinkUnavailable
from zimun_sync.model import APPOINTMENTS
from zimun_sync.testing import delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

KEYS = "SELECT appointment_id FROM appointments ORDER BY ALL"


def _size(path: Path, table: str = "appointments") -> int:
    with duckdb.connect(path, read_only=True) as reader:
        return int(reader.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def test_an_analyst_gets_an_answer_before_the_first_record(bench: "Bench") -> None:
    bench.opened()
    assert bench.query("SELECT count(*) FROM appointments") == [(0,)]
    assert ("staff",) in bench.query("SHOW TABLES")


def test_views_show_meanings_and_hide_what_only_the_sink_needs(bench: "Bench") -> None:
    bench.opened()
    columns = dict(
        bench.query(
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'appointments'"
        )
    )
    assert columns["starts_at"] == "Start, UTC."
    assert "_synced_at" in columns
    assert not columns.keys() & {"_hash", "_stamp", "_deleted"}


def test_json_and_exact_decimals_can_be_queried_as_such(bench: "Bench") -> None:
    bench.opened().write(make_batch(upsert(1, "a_1")))
    answer = bench.query(
        "SELECT extra->>'channel', price_amount * 2, local_start, starts_at::VARCHAR "
        "FROM appointments"
    )
    assert [str(value) for value in answer[0]] == [
        "web",
        "99.0000",
        "2026-11-20 09:45:00",
        "2026-11-20 08:45:00+00",
    ]


def test_a_look_at_the_sink_shows_readers_nothing_new(bench: "Bench") -> None:
    killed = bench.opened()
    killed.write(make_batch(upsert(1, "a_1")))
    killed.write(make_batch(upsert(2, "a_2"), more=True))
    killed._release()
    looking = bench.sink()
    looking.open(bench.context(looking=True))
    assert len(list(looking.read_back("main", APPOINTMENTS))) == 2
    looking.close()
    assert bench.query(KEYS) == [("a_1",)]
    bench.opened()
    assert bench.query(KEYS) == [("a_1",), ("a_2",)]


def test_small_changes_go_to_the_delta_and_leave_the_snapshot_alone(bench: "Bench") -> None:
    sink = _filled(bench)
    snapshot = files.fingerprint(bench.data / "snapshot.duckdb")
    sink.write(make_batch(upsert(31, "b_1"), upsert(32, "b_2")))
    sink.write(make_batch(upsert(33, "b_1", notes="new"), delete(34, "b_2"), delete(35, "a_1")))
    assert bench.query("SELECT appointment_id, notes FROM appointments WHERE notes = 'new'") == [
        ("b_1", "new")
    ]
    assert len(bench.query(KEYS)) == 30
    assert files.fingerprint(bench.data / "snapshot.duckdb") == snapshot
    assert _size(bench.data / "delta.duckdb") == 3


def test_many_changes_go_to_a_new_snapshot_at_once(bench: "Bench", small_deltas: None) -> None:
    sink = bench.opened()
    sink.write(make_batch(*(upsert(seq, f"a_{seq}") for seq in range(1, 11))))
    assert _size(bench.data / "snapshot.duckdb") == 10
    assert _size(bench.data / "delta.duckdb") == 0
    assert bench.query("SELECT count(*) FROM appointments") == [(10,)]


def test_a_delta_shrinks_when_no_reader_can_hold_the_former_snapshot(
    bench: "Bench", small_deltas: None
) -> None:
    sink = _filled(bench)
    sink.write(make_batch(upsert(31, "b_1")))
    sink.write(make_batch(*(upsert(seq, f"b_{seq}") for seq in range(32, 42))))
    assert (_size(bench.data / "delta.duckdb"), _size(bench.data / "snapshot.duckdb")) == (11, 41)
    bench.clock.advance(publish.GRACE)
    sink.close()
    assert _size(bench.data / "delta.duckdb") == 0
    assert bench.query("SELECT count(*) FROM appointments") == [(41,)]


def test_opening_and_closing_replaces_no_published_file(bench: "Bench") -> None:
    sink = _filled(bench)
    for seq in (31, 32):
        sink.close()
        before = _published(bench.data)
        sink.open(bench.context())
        assert _published(bench.data) == before
        sink.write(make_batch(upsert(seq, f"b_{seq}")))
        assert _published(bench.data) != before


def test_a_long_log_is_folded_into_a_snapshot(
    bench: "Bench", monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = _filled(bench)
    sink.write(make_batch(upsert(31, "b_1"), more=True))
    monkeypatch.setattr(publish, "LOG_SIZE", 100)
    sink.write(make_batch(upsert(32, "b_2"), more=True))
    assert _size(bench.data / "snapshot.duckdb") == 32


def test_an_unchanged_batch_touches_no_published_file(bench: "Bench") -> None:
    sink = bench.opened()
    batch = make_batch(upsert(1, "a_1"))
    sink.write(batch)
    before = _published(bench.data)
    assert sink.write(batch).unchanged == 1
    assert _published(bench.data) == before


def test_publishing_waits_while_more_is_coming_but_not_forever(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1"), more=True))
    assert bench.query(KEYS) == []
    bench.clock.advance(publish.INTERVAL)
    sink.write(make_batch(upsert(2, "a_2"), more=True))
    assert bench.query(KEYS) == [("a_1",), ("a_2",)]
    sink.write(make_batch(upsert(3, "a_3"), more=True))
    sink.write(make_batch(upsert(4, "a_4")))
    assert len(bench.query(KEYS)) == 4


def test_where_copies_are_free_every_publish_is_a_snapshot(
    bench: "Bench", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "shares_blocks", lambda layout: True)
    sink = bench.opened()
    for seq in range(1, 4):
        sink.write(make_batch(upsert(seq, f"a_{seq}")))
        assert _size(bench.data / "snapshot.duckdb") == seq
        assert _size(bench.data / "delta.duckdb") == 0
    assert len(bench.query(KEYS)) == 3


def test_where_copies_become_free_an_old_delta_goes_away(
    bench: "Bench", monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = _filled(bench)
    sink.write(make_batch(upsert(31, "b_1")))
    sink.close()
    monkeypatch.setattr(files, "shares_blocks", lambda layout: True)
    sink.open(bench.context())
    for seq in range(32, 35):
        bench.clock.advance(publish.GRACE)
        sink.write(make_batch(upsert(seq, f"b_{seq}")))
        assert len(bench.query(KEYS)) == seq
    assert _size(bench.data / "delta.duckdb") == 0


@pytest.mark.parametrize("lost", ["snapshot.duckdb", "delta.duckdb"])
def test_a_published_file_that_is_gone_comes_back_on_opening(bench: "Bench", lost: str) -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    (bench.data / lost).unlink()
    sink.open(bench.context())
    assert bench.query(KEYS) == [("a_1",)]


def test_a_snapshot_somebody_changed_is_replaced_on_opening(bench: "Bench") -> None:
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    with duckdb.connect(bench.data / "snapshot.duckdb") as vandal:
        vandal.execute("DROP TABLE appointments")
    sink.open(bench.context())
    assert bench.query(KEYS) == [("a_1",)]


def test_reading_back_halfway_does_not_stop_publishing(
    bench: "Bench", small_deltas: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "_READ_BACK_ROWS", 2)
    sink = bench.opened()
    sink.write(make_batch(*(upsert(seq, f"a_{seq}") for seq in range(1, 7))))
    reading = sink.read_back("main", APPOINTMENTS)
    keys = [next(reading)[0]]
    sink.write(make_batch(*(upsert(seq + 6, f"a_{seq}", notes="new") for seq in range(1, 7))))
    assert bench.query("SELECT DISTINCT notes FROM appointments") == [("new",)]
    assert keys + [key for key, _ in reading] == [f"a_{seq}" for seq in range(1, 7)]


def test_what_was_written_but_not_published_is_published_by_the_retry(
    bench: "Bench", small_deltas: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = bench.opened()
    batch = make_batch(*(upsert(seq, f"a_{seq}") for seq in range(1, 11)))
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/nowhere")  # no `cp` there
        with pytest.raises(SinkUnavailable):
            sink.write(batch)
    assert bench.query(KEYS) == []
    assert sink.write(batch).unchanged == len(batch)
    assert len(bench.query(KEYS)) == len(batch)


def test_views_hold_the_paths_that_readers_see(bench: "Bench", tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    sink = bench.opened()
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    sink = bench.opened(reader_root=mount)
    with pytest.raises(duckdb.IOException):
        bench.query(KEYS)
    mount.mkdir()
    (mount / "zimun.data").symlink_to(bench.data)
    assert bench.query(KEYS) == [("a_1",)]


def test_readers_open_the_snapshot_first_and_the_delta_once(bench: "Bench") -> None:
    bench.opened().close()
    definition = bench.query("SELECT sql FROM duckdb_views() WHERE view_name = 'appointments'")
    assert definition[0][0].count("delta.duckdb") == 1
    assert "AS MATERIALIZED" in definition[0][0]
    (bench.data / "delta.duckdb").unlink()
    (bench.data / "snapshot.duckdb").unlink()
    with pytest.raises(duckdb.IOException, match=r"snapshot\.duckdb"):
        bench.query(KEYS)


def _filled(bench: "Bench") -> DuckdbSink:
    """A sink with thirty appointments in a snapshot that every reader has found by now."""
    sink = bench.opened()
    sink.write(make_batch(*(upsert(seq, f"a_{seq}") for seq in range(1, 31))))
    bench.clock.advance(publish.GRACE)
    return sink


def _published(data: Path) -> list[str | None]:
    return [files.fingerprint(data / name) for name in ("snapshot.duckdb", "delta.duckdb")]
