"""Killed anywhere, read at any time: no line is lost, doubled or cut in half."""

import csv
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.csv.conftest import Desk

_DOOMED = Path(__file__).with_name("doomed.py")


@pytest.fixture(scope="module")
def doomed() -> dict[str, Any]:
    """The names of the script that writes."""
    return runpy.run_path(str(_DOOMED))


def _start(desk: "Desk") -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, _DOOMED, desk.folder], stdout=subprocess.PIPE)


def _keys(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row["appointment_id"] for row in csv.DictReader(file, strict=True)]


@pytest.mark.parametrize("acknowledged", [1, 6, 13, 21, 30])
def test_killed_while_writing(desk: "Desk", doomed: dict[str, Any], acknowledged: int) -> None:
    with _start(desk) as writer:
        assert writer.stdout is not None
        for _ in range(acknowledged):
            assert writer.stdout.readline()
        writer.kill()
        acknowledged += len(writer.stdout.readlines())
    batches = list(doomed["batches"]())
    sink = desk.open(changes=True)
    assert set(_keys(desk.file())) >= {c.key for b in batches[:acknowledged] for c in b.stored}
    for batch in batches[:acknowledged]:
        assert sink.write(batch).applied == 0
    for batch in batches[acknowledged:]:
        sink.write(batch)
    sink.close()

    expected = [change.key for batch in batches for change in batch.stored]
    assert _keys(desk.file()) == expected
    changed = [key for path in (desk.path / "changes").iterdir() for key in _keys(path)]
    assert sorted(changed) == sorted(expected)


def test_read_while_it_is_replaced(desk: "Desk", doomed: dict[str, Any]) -> None:
    """Each reading finds whole batches, and never fewer than the one before."""
    desk.open().close()
    counts = [0]
    with _start(desk) as writer:
        while counts[-1] < doomed["BATCHES"] * doomed["EACH"]:
            assert writer.poll() in (None, 0)
            counts.append(len(_keys(desk.file())))
        assert writer.wait() == 0
    assert counts == sorted(counts)
    assert {count % doomed["EACH"] for count in counts} == {0}
