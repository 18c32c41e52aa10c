"""`freshness.csv`: replaced as a whole beside the streams' files."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from zimun_sync.errors import SinkBroken
from zimun_sync.sinks import Freshness, ShowsFreshness
from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.csv.conftest import Desk

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
ROWS = [
    Freshness("main", "staff", AT, "succeeded", AT, 4, AT),
    Freshness("=main", "appointments", None, "failed", None, 0, AT),
]
HEADER = "_source,stream,last_pull_at,last_pull_status,last_change_at,records,shown_at\r\n"


def _text(desk: "Desk") -> str:
    return (desk.path / "freshness.csv").read_bytes().decode()


def test_rows_take_the_place_of_all_before(desk: "Desk") -> None:
    sink = desk.open()
    assert isinstance(sink, ShowsFreshness)
    sink.show_freshness([ROWS[0], ROWS[0]])
    sink.show_freshness(ROWS)
    time = "2026-11-20T03:00:00Z"
    assert _text(desk) == (
        f"{HEADER}main,staff,{time},succeeded,{time},4,{time}\r\n"
        f"'=main,appointments,,failed,,0,{time}\r\n"
    )


def test_a_spelling_for_excel_keeps_the_zone(desk: "Desk") -> None:
    desk.open(preset="excel", delimiter=";").show_freshness(ROWS[:1])
    assert _text(desk).startswith("\ufeff_source;stream;")
    assert "main;staff;2026-11-20T03:00:00Z;succeeded" in _text(desk)


def test_no_rows_leave_the_header(desk: "Desk") -> None:
    desk.open().show_freshness([])
    assert _text(desk) == HEADER


def test_it_touches_no_other_file(desk: "Desk") -> None:
    sink = desk.open()
    sink.write(make_batch(upsert(1, "a_1")))
    before = desk.file().stat()
    sink.show_freshness(ROWS)
    after = desk.file().stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_somebody_elses_file_is_left_alone(desk: "Desk") -> None:
    desk.path.mkdir()
    mine = desk.path / "freshness.csv"
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(SinkBroken, match=r"freshness\.csv"):
        desk.open()
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_closed_sink_shows_nothing(desk: "Desk") -> None:
    sink = desk.open()
    sink.close()
    with pytest.raises(RuntimeError, match="open"):
        sink.show_freshness(ROWS)
