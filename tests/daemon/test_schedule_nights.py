"""Real processes on a faked clock, through the nights on which the clock is changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
SCRIPT = Path(__file__).with_name("night.py")
SECONDS = 4

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


def runs(folder: Path, at: str, before: str) -> list[str]:
    """What a process runs that starts at that time, UTC, a few seconds before a moment."""
    faked = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": f"@{at}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # else waits on threads never end
        "TZ": "UTC",
    }
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), before, str(SECONDS)],
        env={**os.environ, **faked},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stdout.split()


def test_the_night_with_two_half_past_two_has_one_run(tmp_path: Path) -> None:
    before = "2026-10-24T02:30"
    assert runs(tmp_path, "2026-10-25 00:29:58", before) == ["nightly"]
    assert runs(tmp_path, "2026-10-25 01:29:58", before) == []
    assert runs(tmp_path, "2026-10-26 01:29:58", before) == ["nightly"]


def test_the_night_without_half_past_two_has_one_run(tmp_path: Path) -> None:
    before = "2026-03-28T02:30"
    assert runs(tmp_path, "2026-03-29 00:29:58", before) == []
    assert runs(tmp_path, "2026-03-29 01:29:58", before) == ["nightly"]
    assert runs(tmp_path, "2026-03-30 00:29:58", before) == ["nightly"]
