"""Killed anywhere, the state that is opened next is one that agrees with itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.conftest import State

DRILL = Path(__file__).with_name("kill_drill.py")


def drilled(*arguments: str) -> int:
    ended = subprocess.run(
        [sys.executable, str(DRILL), *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


def test_the_first_start_killed_at_any_step(tmp_path: Path) -> None:
    assert drilled("creation", str(tmp_path)) > 20


@pytest.mark.parametrize(("drill", "at_least"), [("statements", 8), ("instants", 8)])
def test_storing_pages_killed(state: State, drill: str, at_least: int) -> None:
    assert drilled(drill, state.url, str(state.folder)) >= at_least


def test_remembering_a_create_killed(state: State) -> None:
    assert drilled("memory", state.url, str(state.folder)) >= 8
