"""Side by side in one run: a sync into DuckDB against a bare httpx drain of the same pages.

Whole processes are timed from outside, start-up included, in turn (A B A B …), each sync into
an empty folder. A row counts only if DuckDB then holds the source's checksums. Usage:

    python bench/run.py [--rows 100000 1000000] [--latency-ms 0 50] [--rounds 3] [--csv]
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from source import differences, program, sandbox

HERE = Path(__file__).parent
PAGE_SIZE = 500
_CONFIG = """\
state: sqlite:///state.db
sources:
  main:
    base_url: {base_url}
    client_id: "{client_id}"
    client_secret: "{client_secret}"
    page_size: {page_size}
    streams: [organization, locations, appointments]
sinks:
  analytics: {{type: duckdb, path: zimun.duckdb}}
"""
_CSV = "  files: {type: csv, path: csv}\n"


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: seconds on the wall, seconds of CPU, peak resident memory in MB."""

    wall: float
    cpu: float
    peak_mb: float


def measure(command: Sequence[str]) -> Measured:
    """Run a command to its end and read the kernel's account of it."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{said.read().decode()}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def drain(api: dict[str, Any]) -> Measured:
    """The bare drain."""
    script = [sys.executable, str(HERE / "drain.py")]
    return measure(
        [*script, api["base_url"], str(PAGE_SIZE), api["client_id"], api["client_secret"]]
    )


def sync(api: dict[str, Any], *, csv: bool) -> Measured:
    """A first full sync into an empty folder, its content compared with the source's."""
    folder = Path(tempfile.mkdtemp(prefix="zimun-bench-"))
    try:
        config = folder / "zimun-sync.yaml"
        config.write_text(_CONFIG.format(page_size=PAGE_SIZE, **api) + _CSV * csv)
        config.chmod(0o600)
        result = measure([program("zimun-sync"), "sync", "--config", str(config), "--json"])
        _compare(api, folder / "zimun.duckdb")
    finally:
        shutil.rmtree(folder)
    return result


def _compare(api: dict[str, Any], database: Path) -> None:
    wrong = differences(api, database)
    if wrong:
        sys.exit(f"DuckDB does not hold the source's content (source, DuckDB): {wrong}")


def compare(rows: int, latency_ms: int, rounds: int, *, csv: bool) -> dict[str, Any]:
    """Medians of both, and the median of the ratios taken pair by pair."""
    with sandbox(rows, latency_ms) as api:
        drain(api)
        pairs = [(drain(api), sync(api, csv=csv)) for _ in range(rounds)]
    drains, syncs = zip(*pairs, strict=True)
    return {
        "rows": rows,
        "latency_ms": latency_ms,
        "sinks": "duckdb + csv" if csv else "duckdb",
        "rounds": rounds,
        "drain_s": statistics.median(each.wall for each in drains),
        "sync_s": statistics.median(each.wall for each in syncs),
        "ratio": statistics.median(b.wall / a.wall for a, b in pairs),
        "sync_cpu_s": statistics.median(each.cpu for each in syncs),
        "peak_mb": max(each.peak_mb for each in syncs),
    }


def _table(results: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| rows | ms a page | sinks | drain, s | sync, s | ratio | sync CPU, s | peak, MB |",
        "|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {each['rows']:,} | {each['latency_ms']} | {each['sinks']} | {each['drain_s']:.2f} "
        f"| {each['sync_s']:.2f} | {each['ratio']:.2f} | {each['sync_cpu_s']:.2f} "
        f"| {each['peak_mb']:.0f} |"
        for each in results
    ]
    return "\n".join(lines)


def _machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("zimun-sync", "httpx", "duckdb"))
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def main() -> None:
    """Run every combination and print a table; details go to bench/out/results.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--latency-ms", type=int, nargs="+", default=[0, 50])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv", action="store_true", help="with CSV as a second sink")
    options = parser.parse_args()
    results = []
    for latency_ms in options.latency_ms:
        for rows in options.rows:
            print(f"{rows:,} rows, {latency_ms} ms a page …", file=sys.stderr)
            results.append(compare(rows, latency_ms, options.rounds, csv=options.csv))
    out = HERE / "out"
    out.mkdir(exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=2))
    print(f"{_machine()}; page size {PAGE_SIZE}, medians of {options.rounds} rounds\n")
    print(_table(results))


if __name__ == "__main__":
    main()
