"""What lies in the folder: months, types, versions, and which files a change touches."""

import random
import stat
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from zimun_sync.model import APPOINTMENTS, SERVICES, STREAMS, Column, ColumnType, Stream
from zimun_sync.sinks import StoredChange
from zimun_sync.testing import delete, make_batch, make_row, upsert

if TYPE_CHECKING:
    from tests.parquet.conftest import Desk

OCTOBER, NOVEMBER, DECEMBER = "month=2026-10", "month=2026-11", "month=2026-12"


def _booking(seq: int, key: str, month: int = 11, **values: Any) -> StoredChange:
    return upsert(seq, key, local_date=date(2026, month, 20), **values)


def test_every_stream_can_be_read_from_the_start(desk: "Desk") -> None:
    desk.open()
    for stream in STREAMS.values():
        names = [column.name for column in stream.columns]
        assert desk.table(stream).column_names[: len(names)] == names
        frame = pd.read_parquet(desk.version / stream.name)
        assert list(frame.columns)[: len(names)] == names
        assert frame.empty


def test_types_and_comments(desk: "Desk") -> None:
    booking = _booking(1, "a_1", price_amount=Decimal("49.5001"))
    desk.open().write(make_batch(booking))
    schema = pq.read_schema(desk.files()[NOVEMBER])
    assert {str(schema.field(c.name).type) for c in APPOINTMENTS.columns} == {
        "string",
        "int64",
        "decimal128(18, 4)",
        "timestamp[us, tz=UTC]",
        "timestamp[us]",
        "date32[day]",
    }
    for column in APPOINTMENTS.columns:
        assert schema.field(column.name).metadata[b"comment"].decode() == column.comment
    (row,) = desk.table().to_pylist()
    assert row["starts_at"] == datetime(2026, 11, 20, 8, 45, tzinfo=UTC)
    assert row["local_start"] == datetime(2026, 11, 20, 9, 45)  # noqa: DTZ001 - a wall clock
    assert row["price_amount"] == Decimal("49.5001")
    assert row["month"] == "2026-11"


def test_a_look_at_the_sink_shows_readers_nothing_new(desk: "Desk") -> None:
    killed = desk.open()
    killed.write(make_batch(_booking(1, "a_1")))
    killed.write(make_batch(_booking(2, "a_2"), more=True))
    killed._release()
    looking = desk.make()
    looking.open(desk.context(looking=True))
    assert len(list(looking.read_back("main", APPOINTMENTS))) == 2
    looking.close()
    assert desk.table().num_rows == 1
    desk.open()
    assert desk.table().num_rows == 2


def test_appointments_lie_in_the_month_of_their_local_date(desk: "Desk") -> None:
    late = datetime(2026, 11, 1, 4, 30, tzinfo=UTC)  # still October in New York
    new_york = upsert(3, "a_3", starts_at=late, local_date=date(2026, 10, 31))
    undated = upsert(4, "a_4", local_date=None)
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1"), _booking(2, "a_2", 12), new_york, undated))
    sink.write(make_batch(upsert(5, "s_1", make_row(SERVICES, "s_1")), stream=SERVICES))
    assert desk.column("month") == {
        "a_1": "2026-11",
        "a_2": "2026-12",
        "a_3": "2026-10",
        "a_4": "0000-00",
    }
    assert desk.files(SERVICES).keys() == {"services"}


def test_a_rescheduled_appointment_moves_to_its_new_month(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1"), _booking(2, "a_2")))
    sink.write(make_batch(_booking(3, "a_1", 12)))
    assert desk.column("month") == {"a_1": "2026-12", "a_2": "2026-11"}
    sink.write(make_batch(_booking(4, "a_2", 12), delete(5, "a_1")))
    assert desk.column("month") == {"a_2": "2026-12"}
    assert desk.files().keys() == {DECEMBER}


def test_there_and_back_before_it_is_published(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1", notes="first")))
    for seq, (month, notes) in enumerate([(12, "b"), (11, "c"), (10, "d"), (11, "e")], start=2):
        sink.write(make_batch(_booking(seq, "a_1", month, notes=notes), more=True))
    sink.close()
    assert desk.column("notes") == {"a_1": "e"}
    assert desk.files().keys() == {NOVEMBER}


def test_months_that_did_not_change_stay_the_same_files(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1", 10), _booking(2, "a_2"), _booking(3, "a_3", 12)))
    before = {part: path.stat() for part, path in desk.files().items()}
    services = desk.files(SERVICES)["services"].stat()
    sink.write(make_batch(_booking(4, "a_2", notes="new"), delete(5, "a_3")))
    after = {part: path.stat() for part, path in desk.files().items()}
    assert after.keys() == {OCTOBER, NOVEMBER}
    assert after[OCTOBER].st_ino == before[OCTOBER].st_ino
    assert after[OCTOBER].st_mtime_ns == before[OCTOBER].st_mtime_ns
    assert after[NOVEMBER].st_ino != before[NOVEMBER].st_ino
    assert desk.files(SERVICES)["services"].stat().st_ino == services.st_ino


def test_an_unchanged_batch_makes_no_version(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1")))
    before = desk.version
    sink.write(make_batch(_booking(1, "a_1")))
    sink.close()
    desk.open()
    assert desk.version == before


def test_while_more_waits_versions_are_made_now_and_then(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1"), more=True))
    assert desk.column("month") == {}
    desk.wait(seconds=15)
    sink.write(make_batch(_booking(2, "a_2"), more=True))
    assert desk.column("month").keys() == {"a_1", "a_2"}
    sink.write(make_batch(_booking(3, "a_3"), more=True))
    assert "a_3" not in desk.column("month")
    sink.write(make_batch(_booking(4, "a_4"), more=False))
    assert desk.column("month").keys() == {"a_1", "a_2", "a_3", "a_4"}


def test_a_version_that_a_reader_holds_stays_as_it_is(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1"), _booking(2, "a_2", 12)))
    held = desk.version
    content = pd.read_parquet(held / "appointments")
    sink.write(make_batch(_booking(3, "a_1", 12), delete(4, "a_2")))
    assert pd.read_parquet(held / "appointments").equals(content)
    assert desk.column("month") == {"a_1": "2026-12"}


def test_replaced_versions_go_when_they_are_too_many_or_too_old(desk: "Desk") -> None:
    sink = desk.open(keep_versions=3, keep_minutes=10)
    for seq in range(1, 7):
        sink.write(make_batch(_booking(seq, "a_1", notes=str(seq))))
    assert desk.versions() == ["000004", "000005", "000006", "000007"]
    desk.wait(minutes=9)
    sink.write(make_batch(_booking(7, "a_1", notes="7")))
    assert desk.versions() == ["000005", "000006", "000007", "000008"]
    desk.wait(minutes=1)
    sink.close()
    assert desk.versions() == ["000007", "000008"]
    desk.wait(minutes=9)
    desk.open(keep_versions=3, keep_minutes=10)
    assert desk.versions() == ["000008"]


def test_the_manifest_names_the_files_and_counts_the_rows(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1"), _booking(2, "a_2"), _booking(3, "a_3", 12)))
    found = desk.manifest()
    assert desk.path / found["path"] == desk.version
    assert found["version"] == int(desk.version.name)
    assert datetime.fromisoformat(found["published_at"]) == desk.now
    listed = {name for stream in found["streams"].values() for name in stream["files"]}
    on_disk = {str(p.relative_to(desk.version)) for p in desk.version.rglob("*.parquet")}
    assert listed == on_disk
    assert {name: stream["rows"] for name, stream in found["streams"].items()} == {
        **dict.fromkeys(STREAMS, 0),
        "appointments": 3,
    }


@pytest.mark.parametrize("compression", ["snappy", "lz4", "gzip", "none"])
def test_another_compression_writes_every_file_anew(desk: "Desk", compression: str) -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1"), _booking(2, "a_2", 12)))
    content = desk.table()
    sink.close()
    desk.open(compression=compression)
    assert desk.table().equals(content)
    for path in desk.files().values():
        used = pq.read_metadata(path).row_group(0).column(0).compression
        assert used == {"lz4": "LZ4", "none": "UNCOMPRESSED"}.get(compression, compression.upper())


def test_a_month_larger_than_a_row_group(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zimun_connectors.parquet.files._GROUP", 100)
    sink = desk.open()
    for first in (1, 131):
        sink.write(make_batch(*(_booking(seq, f"a_{seq}") for seq in range(first, first + 130))))
    sink.write(make_batch(*(delete(1000 + n, f"a_{n}") for n in range(1, 11))))
    metadata = pq.read_metadata(desk.files()[NOVEMBER])
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [
        100,
        100,
        50,
    ]
    assert desk.column("month").keys() == {f"a_{seq}" for seq in range(11, 261)}


def test_a_new_column_is_null_in_older_rows_and_typed_in_newer_ones(desk: "Desk") -> None:
    sink = desk.open()
    old = make_row(SERVICES, "s_1", name="Cut")
    sink.write(make_batch(upsert(1, "s_1", old), stream=SERVICES))
    color = Column("color", ColumnType.INTEGER, "Shown in the calendar, 0xRRGGBB.")
    wider = Stream(SERVICES.name, SERVICES.key, (*SERVICES.content, color))
    new = make_row(wider, "s_2", color=255)
    sink.write(make_batch(upsert(2, "s_2", new), stream=wider))
    assert desk.column("color", wider) == {"s_1": None, "s_2": 255}
    assert desk.column("name", wider)["s_1"] == "Cut"
    assert desk.table(wider).column_names[len(SERVICES.content)] == "color"


def test_a_month_has_the_new_column_too_when_nothing_changes_in_it(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1", 10)))
    room = Column("room", ColumnType.TEXT, "Where.")
    wider = Stream(APPOINTMENTS.name, APPOINTMENTS.key, (*APPOINTMENTS.content, room))
    row = make_row(wider, "a_2", local_date=date(2026, 11, 1), room="blue")
    sink.write(make_batch(upsert(2, "a_2", row), stream=wider))
    assert desk.column("room") == {"a_1": None, "a_2": "blue"}
    assert "room" in pq.read_schema(desk.files()[OCTOBER]).names


def test_a_stream_the_model_does_not_list_is_kept_by_later_versions(desk: "Desk") -> None:
    rooms = Stream("rooms", "room_id", (Column("room_id", ColumnType.TEXT, "Its name."),))
    sink = desk.open()
    sink.write(make_batch(upsert(1, "r_1", make_row(rooms, "r_1")), stream=rooms))
    sink.close()
    desk.open().write(make_batch(_booking(2, "a_1")))
    assert desk.column("_seq", rooms) == {"r_1": 1}
    assert desk.manifest()["streams"]["rooms"]["rows"] == 1


def test_a_stream_without_days_stays_in_one_file_when_it_gets_them(desk: "Desk") -> None:
    rooms = Stream("rooms", "room_id", (Column("room_id", ColumnType.TEXT, "Its name."),))
    day = Column("local_date", ColumnType.DATE, "When it was painted.")
    dated = Stream("rooms", "room_id", (*rooms.content, day))
    sink = desk.open()
    sink.write(make_batch(upsert(1, "r_1", make_row(rooms, "r_1")), stream=rooms))
    row = make_row(dated, "r_2", local_date=date(2026, 5, 1))
    sink.write(make_batch(upsert(2, "r_2", row), stream=dated))
    assert desk.column("local_date", dated) == {"r_1": None, "r_2": date(2026, 5, 1)}
    assert desk.files(dated).keys() == {"rooms"}


def test_an_appointment_whose_day_is_hidden_lies_in_no_month(desk: "Desk") -> None:
    content = tuple(c for c in APPOINTMENTS.content if c.name != "local_date")
    narrow = Stream(APPOINTMENTS.name, APPOINTMENTS.key, content)
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1")))
    sink.write(make_batch(upsert(2, "a_1", make_row(narrow, "a_1", notes="x")), stream=narrow))
    assert desk.column("month") == {"a_1": "0000-00"}


@pytest.mark.parametrize("missing", [True, False])
def test_opening_makes_current_right(desk: "Desk", missing: bool) -> None:
    sink = desk.open()
    sink.write(make_batch(_booking(1, "a_1")))
    right = desk.version
    sink.close()
    (desk.path / "current").unlink()
    if not missing:
        (desk.path / "current").symlink_to("versions/000001")
    desk.open()
    assert desk.version == right


def test_only_the_owner_sees_the_state_and_the_group_the_files(desk: "Desk") -> None:
    sink = desk.open(publish={"mode": "0640"})
    sink.write(make_batch(_booking(1, "a_1")))
    private = desk.path / ".zimun"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in private.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert _modes(desk) == {0o640, 0o750}
    sink.close()
    desk.open(publish={"mode": "0644"})
    assert _modes(desk) == {0o644, 0o755}


def _modes(desk: "Desk") -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in (desk.path / "versions").rglob("*")}


def test_published_rows_do_not_stay_in_the_state(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zimun_connectors.parquet.state._WORTH_SHRINKING", 64)
    sink, state = desk.open(), desk.path / ".zimun" / "state.sqlite"
    notes = random.Random(1).randbytes(800_000).hex()
    changes = [_booking(n, f"a_{n}", notes=notes[n * 8_000 :][:8_000]) for n in range(200)]
    sink.write(make_batch(*changes[:100], more=True))
    sink.write(make_batch(*changes[100:]))
    sink.close()
    assert state.stat().st_size < 200_000
    assert len(desk.column("notes")) == 200
