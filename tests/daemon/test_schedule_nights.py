"""Real processes on a faked clock, through the nights on which the clock is changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
SCRIPT = Path(__file__).with_name("night.py")
SECONDS = 9

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


def start(folder: Path, at: str, before: str) -> subprocess.Popen[str]:
    """A process that starts at that time, UTC, a few seconds before a moment."""
    faked = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": f"@{at}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # else waits on threads never end
        "TZ": "UTC",
    }
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), before, str(SECONDS)],
        env={**os.environ, **faked},
        stdout=subprocess.PIPE,
        text=True,
    )


#: When a process starts, which slot was run before it, and how many it has to run.
MOMENTS = [
    ("2026-10-25 00:29:54", "2026-10-24T02:30", 1),  # 02:30, for the first time
    ("2026-10-25 01:29:54", "2026-10-25T02:30", 0),  # 02:30 again
    ("2026-10-26 01:29:54", "2026-10-25T02:30", 1),
    ("2026-03-29 00:29:54", "2026-03-28T02:30", 0),  # 01:30; half past two will not come
    ("2026-03-29 01:29:54", "2026-03-28T02:30", 1),  # 03:30 instead
    ("2026-03-30 00:29:54", "2026-03-29T02:30", 1),
]


def test_each_date_has_one_run_through_both_nights(tmp_path: Path) -> None:
    processes = [
        start(tmp_path / str(number), at, before) for number, (at, before, _) in enumerate(MOMENTS)
    ]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(MOMENTS)
    assert [len(causes) for causes in said] == [runs for _, _, runs in MOMENTS]
