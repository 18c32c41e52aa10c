"""SIGKILL at any moment of a load: what was acknowledged stays, and nothing old comes back."""

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from zimun_sync.testing import make_batch, upsert

if TYPE_CHECKING:
    from tests.warehouse.conftest import Bench

SCRIPT = Path(__file__).with_name("doomed.py")


def _doomed() -> ModuleType:
    spec = importlib.util.spec_from_file_location("doomed", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DOOMED = _doomed()


@pytest.mark.parametrize("moment", DOOMED.MOMENTS)
def test_a_load_that_was_cut_off_never_overwrites_what_came_later(
    bench: "Bench", moment: str
) -> None:
    ended = subprocess.run(
        [sys.executable, SCRIPT, bench.folder, moment], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert (ended.stdout, ended.stderr) == ("written\n", "")
    is_merged = moment in {"merged", "loaded"}
    cut_off = {"a": "2", "c": "2"} if is_merged else {"a": "1", "b": "1"}
    assert bench.notes() == cut_off
    sink = bench.opened()
    assert bench.notes() == cut_off  # opening loads nothing of what was cut off
    later = make_batch(upsert(6, "a", notes="3"))
    assert sink.write(later).applied == 1
    assert bench.notes() == cut_off | {"a": "3"}
    # The batch that was not acknowledged comes again, coalesced with what came later.
    again = make_batch(*DOOMED.SECOND.stored[1:], *later.stored)
    result = sink.write(again)
    assert (result.applied, result.unchanged) == (2, 1)
    sink.close()
    bench.opened().close()
    assert bench.notes() == {"a": "3", "c": "2"}


def test_an_acknowledged_load_is_remembered(bench: "Bench") -> None:
    sink = bench.opened()
    assert sink.write(DOOMED.FIRST).applied == 2
    del sink
    bench.close()
    sink = bench.opened()
    assert sink.write(DOOMED.FIRST).unchanged == 2
