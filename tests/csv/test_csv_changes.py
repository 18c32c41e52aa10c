"""Files of changes: every change once, whatever crashes, and no longer than wanted."""

from typing import TYPE_CHECKING

import pytest

from zimun_sync.errors import SinkBroken
from zimun_sync.testing import delete, make_batch, upsert

if TYPE_CHECKING:
    from tests.csv.conftest import Desk

_DAY, _NEXT_DAY = "appointments-2026-11-20.csv", "appointments-2026-11-21.csv"


def _operations(lines: list[str]) -> list[tuple[str, str]]:
    return [(line.split(",")[0], line.split(",")[1]) for line in lines[1:]]


def test_every_change_is_appended_once(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    first = make_batch(upsert(1, "a_1"), upsert(2, "a_2"))
    sink.write(first)
    sink.write(first)
    sink.write(make_batch(delete(3, "a_1"), delete(4, "unknown"), upsert(5, "a_2", notes="new")))
    lines = desk.changes()[_DAY]
    assert lines[0].startswith("_op,appointment_id,organization_id,")
    assert _operations(lines) == [
        ("upsert", "a_1"),
        ("upsert", "a_2"),
        ("delete", "a_1"),
        ("upsert", "a_2"),
    ]
    assert lines[3].endswith(",main,3,run-1,2026-11-20T03:00:00Z")


def test_a_new_day_gets_a_new_file(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    sink.write(make_batch(upsert(1, "a_1")))
    desk.wait(seconds=3_600)
    sink.write(make_batch(upsert(2, "a_2")))
    files = desk.changes()
    assert [_operations(files[name]) for name in (_DAY, _NEXT_DAY)] == [
        [("upsert", "a_1")],
        [("upsert", "a_2")],
    ]


def test_what_a_crash_left_unacknowledged_is_cut_off(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    path = desk.path / "changes" / _DAY
    acknowledged = path.read_bytes()
    with path.open("ab") as file:
        file.write(b"upsert,a_2,half a li")
    sink = desk.open(changes=True)
    assert path.read_bytes() == acknowledged
    sink.write(make_batch(upsert(2, "a_2")))
    assert _operations(desk.changes()[_DAY]) == [("upsert", "a_1"), ("upsert", "a_2")]


def test_old_files_are_removed(desk: "Desk") -> None:
    sink = desk.open(changes=True, changes_keep_days=2)
    for day in range(4):
        sink.write(make_batch(upsert(day + 1, f"a_{day}")))
        desk.wait(seconds=86_400)
    assert list(desk.changes()) == [f"appointments-2026-11-{day}.csv" for day in (21, 22, 23)]


def test_another_spelling_on_the_same_day_goes_to_a_file_of_its_own(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    sink = desk.open(changes=True, delimiter=";")
    sink.write(make_batch(upsert(2, "a_2")))
    files = desk.changes()
    assert _operations(files[_DAY]) == [("upsert", "a_1")]
    assert files["appointments-2026-11-20-2.csv"][1].startswith("upsert;a_2;")


def test_a_file_that_was_moved_away_is_begun_anew(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    (desk.path / "changes" / _DAY).unlink()
    desk.open(changes=True).write(make_batch(upsert(2, "a_2")))
    assert _operations(desk.changes()[_DAY]) == [("upsert", "a_2")]


def test_a_file_nobody_recorded_is_left_alone(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    own = desk.path / "changes" / _DAY
    own.write_text("notes of someone else")
    sink.write(make_batch(upsert(1, "a_1")))
    assert own.read_text() == "notes of someone else"
    assert _operations(desk.changes()["appointments-2026-11-20-2.csv"]) == [("upsert", "a_1")]


def test_a_shortened_file_is_refused(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    sink.write(make_batch(upsert(1, "a_1")))
    sink.close()
    (desk.path / "changes" / _DAY).write_text("_op")
    with pytest.raises(SinkBroken, match=_DAY) as caught:
        desk.open(changes=True)
    assert "Move that file away" in caught.value.hint


def test_excel_spelling_holds_for_changes_too(desk: "Desk") -> None:
    desk.open(changes=True, preset="excel", delimiter=";").write(make_batch(upsert(1, "a_1")))
    header, row = desk.changes()[_DAY]
    assert header.startswith("\ufeff_op;")
    assert ";2026-11-20 09:45:00;" in row
