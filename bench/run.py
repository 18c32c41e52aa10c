"""Side by side in one run: syncs, a bare drain of the same pages, and peers.

Whole processes are timed from outside, start-up included, in turn (A B C A B C …). A row counts
only if it then holds the source's checksums. Sizes are ROWS or ROWS@MILLISECONDS a page. Usage:

    python bench/run.py [--sizes 100000 1000000 100000@50] [--rounds 5] [--only sync script …]
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from machine import machine
from nights import nights
from picture import PICTURE, draw
from rounds import PEERS
from rows import ROWS
from sizes import Plan, Size, compare
from start import starts
from table import tables

OUT = Path(__file__).parent / "out" / "results.json"


def size(text: str) -> Size:
    """Read `ROWS` or `ROWS@MILLISECONDS`; ValueError if it is neither."""
    rows, _, latency_ms = text.partition("@")
    return Size(int(rows), int(latency_ms or 0))


def setting(text: str) -> tuple[str, Any]:
    """Read `NAME=VALUE`, the value as YAML; ValueError if it is not that."""
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(text)
    return name, yaml.safe_load(value)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sizes = [Size(100_000), Size(1_000_000), Size(100_000, 50)]
    add = parser.add_argument
    add(
        "--sizes",
        type=size,
        nargs="*",
        default=sizes,
        metavar="ROWS[@MS]",
        help="appointments, and the milliseconds that each page takes at least",
    )
    add("--rounds", type=int, default=5, help="how often each row runs")
    add("--only", nargs="+", default=[], choices=list(ROWS), help="rows of the table")
    add(
        "--setting",
        type=setting,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of zimun-sync's source; repeatable",
    )
    add("--no-start", action="store_true", help="leave out the commands' start")
    add("--nights", type=int, default=100, help="how many to grow for; 0 leaves it out")
    add("--night-rows", type=int, default=100_000, help="appointments in those nights")
    add("--peers", type=Path, default=PEERS, help="the Python of the peers' environment")
    add(
        "--picture",
        type=Path,
        nargs="?",
        const=PICTURE,
        help="draw the comparison too, by default to docs/performance.svg",
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print tables; what is done so far is in bench/out/results.json."""
    told = options()
    plan = Plan(told.rounds, told.only, dict(told.setting), told.peers)
    _need_peers(plan, told.sizes)
    results: dict[str, Any] = {"machine": machine(told.peers), "settings": plan.settings}
    results["sizes"] = []
    for each in told.sizes:
        results["sizes"].append(compare(each, plan))
        _keep(results)
    if not told.no_start:
        results["starts"] = starts(plan)
        _keep(results)
    if told.nights:
        results["nights"] = nights(told.night_rows, told.nights, plan)
        _keep(results)
    print(tables(results))
    if told.picture and results["sizes"]:
        told.picture.write_text(draw(results))


def _need_peers(plan: Plan, sizes: list[Size]) -> None:
    names = {name for each in sizes for name in plan.names(each) if ROWS[name].peer}
    if names and not plan.peers.exists():
        sys.exit(
            f"{plan.peers} is not there, which {', '.join(sorted(names))} need. "
            "`make bench` makes it; `--only` measures without them."
        )


def _keep(results: dict[str, Any]) -> None:
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
