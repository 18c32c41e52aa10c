"""What filling a new sink from the state takes: seconds, memory, and requests of the API.

For each size a state is filled by one sync that has no sink; then one new sink after the other
is filled by `zimun-sync backfill`, a process of its own, timed from outside. A row counts only
if the sandbox was asked for nothing meanwhile and the sink then holds the source's checksums.
Peaks at different sizes tell whether memory is flat. Usage:

    python bench/backfill.py [--rows 100000 300000 1000000] [--rounds 1]
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from measuring import Measured, measure
from source import FILES, differences, forget_requests, program, requests, sandbox

HERE = Path(__file__).parent
#: Where each sink's content goes, below a folder of its own.
PATHS = {"duckdb": "zimun.duckdb", "csv": "files", "parquet": "files"}
#: Peaks that differ by no more than this share are called flat: Parquet holds a row group of one
#: month, which grows to 65,536 rows and no further.
FLAT = 0.15


@dataclass(frozen=True, slots=True)
class State:
    """A state that a sync has filled, and its sandbox.

    Args:
        folder: of the configuration.
        api: what the sandbox says on start-up.
    """

    folder: Path
    api: dict[str, Any]

    def configure(self, sinks: dict[str, Any]) -> None:
        """Write a configuration with these sinks."""
        names = ("base_url", "client_id", "client_secret")
        settings = {
            "state": "sqlite:///state.db",
            "sources": {"main": {name: self.api[name] for name in names} | {"page_size": 500}},
            "sinks": sinks,
        }
        file = self.folder / "zimun-sync.yaml"
        file.write_text(yaml.safe_dump(settings))
        file.chmod(0o600)

    def run(self, *arguments: str) -> Measured:
        """A command, timed; ends this process where it fails."""
        config = str(self.folder / "zimun-sync.yaml")
        return measure([program("zimun-sync"), *arguments, "--config", config, "--json"])


def backfills(rows: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Every sink at that size, so many times."""
    with (
        sandbox(rows) as api,
        tempfile.TemporaryDirectory(prefix="zimun-bench-") as folder,
    ):
        state = State(Path(folder), api)
        state.configure({})
        state.run("sync")
        for name in PATHS:
            yield {"rows": rows, "sink": name, **backfill(state, name, rounds)}


def backfill(state: State, name: str, rounds: int) -> dict[str, Any]:
    """A new sink, filled again and again in a folder that is new each time."""
    found = [fill(state, name, f"{name}-{number}") for number in range(rounds)]
    return {
        "wall_s": statistics.median(each.wall for each in found),
        "cpu_s": statistics.median(each.cpu for each in found),
        "peak_mb": max(each.peak_mb for each in found),
    }


def fill(state: State, name: str, place: str) -> Measured:
    """One backfill, proved."""
    path = state.folder / place / PATHS[name]
    state.configure({place: {"type": name, "path": str(path)}})
    forget_requests(state.api)
    measured = state.run("backfill", "--sink", place)
    if asked := requests(state.api):
        sys.exit(f"The backfill of {name} asked the API: {asked}")
    found = (None, FILES[name].format(path)) if name in FILES else (path,)
    if wrong := differences(state.api, *found):
        sys.exit(f"{name} does not hold the source's content (source, {name}): {wrong}")
    shutil.rmtree(path.parent)
    return measured


def growth(results: Sequence[dict[str, Any]]) -> dict[str, float]:
    """By sink: the peak at the largest size as a multiple of that at the one before."""
    peaks: dict[str, list[float]] = {}
    for each in results:
        peaks.setdefault(each["sink"], []).append(each["peak_mb"])
    return {name: found[-1] / found[-2] for name, found in peaks.items() if len(found) > 1}


def _table(results: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| records | sink | wall, s | CPU, s | peak, MB |",
        "|---:|---|---:|---:|---:|",
    ]
    lines += [
        f"| {each['rows']:,} | {each['sink']} | {each['wall_s']:.1f} | {each['cpu_s']:.1f} "
        f"| {each['peak_mb']:.0f} |"
        for each in results
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print a table; details go to bench/out/backfill.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    results: list[dict[str, Any]] = []
    for rows in sorted(options.rows):
        print(f"{rows:,} records …", file=sys.stderr)
        results += backfills(rows, options.rounds)
    out = HERE / "out"
    out.mkdir(exist_ok=True)
    (out / "backfill.json").write_text(json.dumps(results, indent=2))
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow"))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {versions}\n")
    print(_table(results))
    grown = growth(results)
    print("\nPeak beside that of the size before:", {n: round(g, 2) for n, g in grown.items()})
    if any(each > 1 + FLAT for each in grown.values()):
        sys.exit("Memory grows with the number of records.")


if __name__ == "__main__":
    main()
