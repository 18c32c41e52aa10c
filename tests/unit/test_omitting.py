"""Importing without optional parts."""

import importlib
import subprocess
import sys
from threading import Thread

import pytest

from zimun_sync.omitting import omitting

#: A module that nobody here needs.
IDLE = "colorsys"


@pytest.fixture(autouse=True)
def not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, IDLE, raising=False)


def test_a_library_cannot_be_found_within_the_block_only() -> None:
    with omitting(IDLE), pytest.raises(ModuleNotFoundError, match=IDLE):
        importlib.import_module(IDLE)
    assert importlib.import_module(IDLE).__name__ == IDLE


def test_what_is_loaded_stays_loaded() -> None:
    loaded = importlib.import_module(IDLE)
    with omitting(IDLE):
        assert importlib.import_module(IDLE) is loaded


def test_another_thread_finds_it() -> None:
    found: list[str] = []
    with omitting(IDLE):
        thread = Thread(target=lambda: found.append(importlib.import_module(IDLE).__name__))
        thread.start()
        thread.join()
    assert found == [IDLE]


def test_logging_does_without_rich_and_leaves_it_to_others() -> None:
    program = "import sys, zimun_sync.logs; print('rich' in sys.modules); import rich.traceback"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "False\n"
