"""SIGKILL at any step: readers see a whole version, and what was acknowledged is there."""

import importlib.util
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from zimun_sync.model import APPOINTMENTS

if TYPE_CHECKING:
    from tests.parquet.conftest import Desk

_SCRIPT = Path(__file__).with_name("doomed.py")

#: More steps than the whole story takes, so that some writers live to its end.
_LONGEST = 410
_STEPS = sorted(random.Random(20261120).sample(range(1, _LONGEST), 16))


@pytest.fixture(scope="module")
def doomed() -> ModuleType:
    """The script that writes."""
    spec = importlib.util.spec_from_file_location("doomed", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _contents(doomed: ModuleType) -> list[dict[str, str]]:
    """What readers should see after none, one, two … batches."""
    contents: list[dict[str, str]] = [{}]
    for batch in doomed.batches():
        now = dict(contents[-1])
        for change in batch.changes:
            if change.row is None:
                now.pop(change.key, None)
            else:
                now[change.key] = change.row["notes"]
        contents.append(now)
    return contents


@pytest.mark.parametrize("step", _STEPS)
def test_killed_at_a_step(desk: "Desk", doomed: ModuleType, step: int) -> None:
    command = [sys.executable, str(_SCRIPT), str(desk.folder), str(step)]
    died = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert died.returncode in (-signal.SIGKILL, 0)
    written, contents = died.stdout.count("written"), _contents(doomed)
    if (desk.path / "current").exists():
        assert desk.column("notes") in contents[: written + 2]

    sink = doomed.make_sink(desk.folder)
    sink.open(doomed.context())
    assert desk.column("notes") in contents[written : written + 2]
    _assert_clean(desk)
    for number, batch in enumerate(doomed.batches()):
        applied = sink.write(batch).applied
        assert applied == 0 or number >= written
    sink.close()
    assert desk.column("notes") == contents[-1]
    _assert_clean(desk)


def _assert_clean(desk: "Desk") -> None:
    """Nothing half-made is left, and the manifest tells the truth."""
    names = {path.name for path in (desk.path / ".zimun").iterdir()}
    assert names <= {"lock", "state.sqlite", "state.sqlite-wal"}
    assert len(desk.versions()) <= 3
    assert desk.manifest()["version"] == int(desk.versions()[-1])
    stream = desk.manifest()["streams"][APPOINTMENTS.name]
    assert stream["rows"] == desk.table().num_rows
