"""dlt reads nobody's settings but ours, keeps no files elsewhere, calls nobody and says nothing."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.warehouse.conftest import Bench

SCRIPT = Path(__file__).with_name("doomed.py")

#: Ends the process at the first connection that is made.
LONELY = """
import runpy, socket, sys

def connect(self, address):
    sys.exit(f"connected to {address}")

socket.socket.connect = connect
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_dlt_keeps_to_itself(bench: "Bench") -> None:
    elsewhere, home = bench.folder / "elsewhere", bench.folder / "home"
    for folder in (elsewhere / ".dlt", home / ".dlt"):
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text(
            '[runtime]\nlog_level = "INFO"\n[load]\nworkers = "many"\n'
        )
    environment = os.environ | {
        "HOME": str(home),
        "DLT_DATA_DIR": str(elsewhere / "data"),
        "RUNTIME__LOG_LEVEL": "INFO",
        "LOAD__WORKERS": "many",
        "DESTINATION__DUCKDB__CREDENTIALS": str(elsewhere / "other.duckdb"),
    }
    before = sorted(elsewhere.rglob("*")), sorted(home.rglob("*"))
    ended = subprocess.run(
        [sys.executable, "-c", LONELY, SCRIPT, bench.folder, "never"],
        capture_output=True,
        text=True,
        check=False,
        cwd=elsewhere,
        env=environment,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "written\nalive\n", "")
    assert (sorted(elsewhere.rglob("*")), sorted(home.rglob("*"))) == before
    assert bench.notes() == {"a": "2", "c": "2"}
    assert {path.name for path in bench.own.iterdir()} == {"lock", "memory.sqlite"}
    assert bench.own.stat().st_mode & 0o777 == 0o700
