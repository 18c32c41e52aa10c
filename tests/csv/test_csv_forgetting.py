"""Forgetting: nothing is left in logs and files of changes, and no other byte is touched."""

import csv
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.thorough import times
from zimun_sync.sinks import Forgotten
from zimun_sync.testing import delete, files_with, make_batch, upsert

if TYPE_CHECKING:
    from tests.csv.conftest import Desk
    from zimun_connectors.csv import CsvSink

_DOOMED = Path(__file__).with_name("doomed_forgetting.py")
_SECRET = "~QxZvWk7"
_OTHERS = {"b_1": 'two\nlines, "quoted"', "b_2": "=1+1", "b_3": "Zoë; ~", "a_10": "plain"}

#: About as many steps as forgetting takes.
_LONGEST = 15


def _forget(sink: "CsvSink", key: str = "a_1") -> None:
    assert sink.forget(Forgotten({("main", "appointments"): [key]})).complete


def _written(sink: "CsvSink", key: str = "a_1") -> None:
    """Former states of that record among others, then one without personal values."""
    for number, (other, notes) in enumerate(_OTHERS.items()):
        sink.write(make_batch(upsert(number + 1, other, notes=notes)))
        sink.write(make_batch(upsert(number + 11, key, notes=f"{_SECRET}, {number}\n", status="x")))
    personal: dict[str, Any] = dict.fromkeys(("contact_name", "contact_email", "contact_phone"))
    sink.write(make_batch(upsert(50, key, notes=None, extra=None, **personal)))


def _rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter=delimiter, strict=True))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "a_1"),
        ({}, '=a"1,'),
        ({"preset": "excel", "delimiter": ";"}, "a;1"),
        ({"line_ending": "lf", "delimiter": "|"}, "a|1"),
    ],
    ids=["standard", "quoted", "excel", "lf"],
)
def test_files_of_changes(desk: "Desk", settings: dict[str, Any], key: str) -> None:
    """Rows keep their places and all that is not personal; those of others keep every byte."""
    sink = desk.open(changes=True, **settings)
    _written(sink, key)
    (path,) = (desk.path / "changes").iterdir()
    before, raw = _rows(path, settings.get("delimiter", ",")), path.read_bytes()
    _forget(sink, key)

    after = _rows(path, settings.get("delimiter", ","))
    assert not files_with(desk.folder, _SECRET)
    assert [row["_seq"] for row in after] == [row["_seq"] for row in before]
    named = ("contact_name", "contact_email", "contact_phone", "notes", "extra")
    for old, new in zip(before, after, strict=True):
        if int(old["_seq"]) > len(_OTHERS):
            assert new == old | dict.fromkeys(named, "")
            assert new["_source"] == "main"
        else:
            assert new == old
    assert path.read_bytes() != raw
    start = raw.index(b"\n") + 1
    assert path.read_bytes()[: start + 40] == raw[: start + 40]


def test_the_file_goes_on(desk: "Desk") -> None:
    """What comes after is appended to the shorter file, and to no other."""
    sink = desk.open(changes=True)
    _written(sink)
    count = len(_rows(next((desk.path / "changes").iterdir())))
    _forget(sink)
    sink.write(make_batch(upsert(60, "b_1", notes="new")))
    sink.close()
    sink = desk.open(changes=True)
    sink.write(make_batch(delete(61, "b_2")))
    (path,) = (desk.path / "changes").iterdir()
    assert [row["_op"] for row in _rows(path)[count:]] == ["upsert", "delete"]


def test_files_from_when_changes_were_wanted(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    _written(sink)
    sink.close()
    sink = desk.open()
    _forget(sink)
    assert not files_with(desk.folder, _SECRET)


def test_another_source_with_an_equal_key_stays(desk: "Desk") -> None:
    sink = desk.open(changes=True)
    _written(sink)
    sink.write(make_batch(upsert(1, "a_1", notes="of another"), source="second"))
    _forget(sink)
    (path,) = (desk.path / "changes").iterdir()
    assert _rows(path)[-1]["notes"] == "of another"
    assert "of another" in desk.text()


@pytest.mark.parametrize("step", range(2, _LONGEST, times(6, 1)))
def test_killed_at_a_step(desk: "Desk", step: int) -> None:
    sink = desk.open(changes=True)
    _written(sink)
    sink.close()
    published = desk.text()
    (path,) = (desk.path / "changes").iterdir()
    places = [row["_seq"] for row in _rows(path)]

    died = subprocess.run([sys.executable, _DOOMED, desk.folder, str(step)], check=False)
    assert died.returncode in (-signal.SIGKILL, 0)
    assert desk.text() == published

    sink = desk.open(changes=True)
    assert [row["_seq"] for row in _rows(path)] == places
    _forget(sink)
    assert not files_with(desk.folder, _SECRET)
    assert [row["_seq"] for row in _rows(path)] == places
    assert desk.text() == published
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_lines_that_were_moved_are_found_again(desk: "Desk") -> None:
    """Every forgetting moves the lines of all others, which go on being replaced and deleted."""
    draw, sink = Random(7), desk.open()
    held: dict[tuple[str, str], str] = {}
    for seq in range(1, times(400, 4_000)):
        record = source, key = draw.choice(("main", "other")), f"a_{draw.randrange(12)}"
        if draw.random() < 0.2:
            sink.write(make_batch(delete(seq, key), source=source))
            held.pop(record, None)
        else:
            held[record] = notes = f"{seq} {'ü' * draw.randrange(9)}"
            sink.write(make_batch(upsert(seq, key, notes=notes), source=source))
        if draw.random() < 0.1:
            _forget(sink, f"a_{draw.randrange(12)}")
        shown = {
            (row["_source"], row["appointment_id"]): row["notes"] for row in _rows(desk.file())
        }
        assert shown == held
