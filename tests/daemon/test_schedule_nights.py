"""Real processes on a real, fast clock, through the nights on which the clock is changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
SCRIPT = Path(__file__).with_name("night.py")
#: Times as fast as life: an hour in half a second.
FAST = 7200
#: The noon (UTC) at which a process starts, the slot that was run before, the one to end with.
NIGHTS = [
    ("2026-10-24 12:00:00", "2026-10-24T02:30", "2026-10-26T02:30"),  # 02:30 comes twice
    ("2026-03-28 12:00:00", "2026-03-28T02:30", "2026-03-30T02:30"),  # it never comes
]


def start(folder: Path, noon: str, before: str, last: str) -> subprocess.Popen[str]:
    folder.mkdir()
    faked = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": f"@{noon} x{FAST}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # else waits on threads never end
        "TZ": "UTC",
    }
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), before, last],
        env={**os.environ, **faked},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")
def test_each_date_has_one_run_through_both_nights(tmp_path: Path) -> None:
    processes = [start(tmp_path / night[1], *night) for night in NIGHTS]
    told = [process.communicate(timeout=120) for process in processes]
    assert [
        (process.returncode, errors) for process, (_, errors) in zip(processes, told, strict=True)
    ] == [(0, "")] * len(NIGHTS)
    dates = [[line[:10] for line in said.splitlines()] for said, _ in told]
    if any(began != before[:10] for (began, *_), (_, before, _) in zip(dates, NIGHTS, strict=True)):
        pytest.skip("this machine is too slow: a night was half over when its process began")
    assert [runs for _, *runs in dates] == [
        ["2026-10-25", "2026-10-26"],
        ["2026-03-29", "2026-03-30"],
    ]
