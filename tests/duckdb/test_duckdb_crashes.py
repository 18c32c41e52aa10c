"""SIGKILL at any step: what was acknowledged is there, readers never see anything odd."""

import importlib.util
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.thorough import times

if TYPE_CHECKING:
    from tests.duckdb.conftest import Bench

SCRIPT = Path(__file__).with_name("doomed.py")
CONTENT = "SELECT appointment_id, notes FROM appointments"

#: More steps than the whole story takes, so that some writers live to its end.
LONGEST = 420
STEPS = sorted(random.Random(20261120).sample(range(1, LONGEST), 14))[:: times(2, 1)]


def _doomed() -> ModuleType:
    spec = importlib.util.spec_from_file_location("doomed", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _contents() -> list[dict[str, str]]:
    """What readers should see after none, one, two … batches."""
    contents: list[dict[str, str]] = [{}]
    for batch in _doomed().batches():
        now = dict(contents[-1])
        for change in batch.changes:
            if change.row is None:
                now.pop(change.key, None)
            else:
                now[change.key] = change.row["notes"]
        contents.append(now)
    return contents


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step(bench: "Bench", monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    command = [sys.executable, str(SCRIPT), str(bench.folder), str(step)]
    died = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert died.returncode in (-signal.SIGKILL, 0)
    written, contents = died.stdout.count("written"), _contents()

    if bench.views.exists():
        assert dict(_answer(bench.views)) in contents[: written + 2]

    doomed = _doomed()
    monkeypatch.setattr(doomed.publish, "DELTA_ROWS", 15)
    sink = doomed.make_sink(bench.folder)
    bench.sinks.append(sink)
    sink.open(doomed.context())
    assert dict(_answer(bench.views)) in contents[written : written + 2]
    assert not list(bench.data.rglob("*.new*"))

    for number, batch in enumerate(doomed.batches()):
        applied = sink.write(batch).applied
        assert applied == 0 or number >= written
    assert dict(_answer(bench.views)) == contents[-1]


def _answer(views: Path) -> list[tuple[str, str]]:
    with duckdb.connect(views, read_only=True) as reader:
        return reader.execute(CONTENT).fetchall()


@pytest.mark.parametrize("publication", [2, 3, 4])
def test_killed_between_commit_and_checkpoint_of_a_delta(bench: "Bench", publication: int) -> None:
    command = [sys.executable, str(SCRIPT), str(bench.folder), "0", str(publication)]
    died = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert died.returncode == -signal.SIGKILL
    written = died.stdout.count("written")
    assert Path(f"{bench.data}/private/delta.duckdb.wal").exists()

    doomed = _doomed()
    sink = doomed.make_sink(bench.folder)
    bench.sinks.append(sink)
    sink.open(doomed.context())
    assert dict(_answer(bench.views)) == _contents()[written + 1]
