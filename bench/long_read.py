"""Analysts who never stop reading, while the source changes and one full pull follows the other.

Appointments are changed through the sandbox's API at a steady pace; the sandbox tells the daemon
by webhook; beside that one full listing follows the other. Three phases: nobody reads; one
process asks questions in a loop; three processes, one of which connects anew for each round, a
BI tool's pool of connections and a result that is read for the whole phase. In each a light
probe notes when it sees which change. Every answer is checked (`tests/acceptance/answers.py`);
one that is wrong, an error of a reader, a failed pull, or DuckDB not ending with the source's
content ends this with 1, and so does a change seen later than `--within`. Usage:

    python bench/long_read.py [--rows 20000] [--pace 50] [--seconds 120] [--within 2] [--nice 19]
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
from latency import Customers, Daemon, until
from readers import Reader, full_pulls, publications, reading
from source import differences, sandbox

from tests.acceptance.answers import MARK, faults, longest_pause

HERE = Path(__file__).parent
#: How many appointments are changed, one after the other and then again.
CHANGED = 1500
#: Who reads in each phase, beside the probe.
PHASES: dict[str, tuple[str, ...]] = {
    "nobody": (),
    "one": ("kept",),
    "three and a pool": ("kept", "kept", "anew", "pool", "slow"),
}


class Editors(Customers):
    """Change appointments at a steady pace, each one again after a while."""

    def __init__(self, api: dict[str, Any], keys: Sequence[str]) -> None:
        super().__init__(api)
        self._keys = keys
        self._numbers = count(1)
        self.changed: dict[int, float] = {}

    def change(self, number: int) -> None:
        """Write the number into three fields of one appointment."""
        mark = f"{MARK}{number}"
        mail = f"{mark.replace(' ', '.')}@example.com"
        body = {"notes": mark, "contact_name": mark, "contact_email": mail}
        key = self._keys[number % len(self._keys)]
        self.api.patch(f"/appointments/{key}", json=body).raise_for_status()
        self.changed[number] = time.monotonic()

    def again(self, number: int) -> int:
        """The next change of the same appointment."""
        return number + len(self._keys)

    def change_at(self, pace: float, seconds: float) -> dict[int, float]:
        """So many changes a second for so long: number → when the API had answered."""
        began, orders = time.monotonic(), []
        self.changed = {}
        with ThreadPoolExecutor(8) as pool:
            for position in range(int(pace * seconds)):
                time.sleep(max(began + position / pace - time.monotonic(), 0))
                orders.append(pool.submit(self.change, next(self._numbers)))
        for order in orders:
            order.result()
        return self.changed


def phase(
    daemon: Daemon, editors: Editors, kinds: Sequence[str], options: argparse.Namespace
) -> dict[str, Any]:
    """Change appointments beside full pulls while these read; what they saw."""
    with ExitStack() as stack:
        probe = stack.enter_context(reading(daemon.database, "probe"))
        busy = [stack.enter_context(reading(daemon.database, kind, options.nice)) for kind in kinds]
        until(lambda: all(each.told for each in busy), "every reader has an answer")
        with publications(daemon.database) as published, full_pulls(daemon) as pulls:
            changed = editors.change_at(options.pace, options.seconds)
        lasting = [n for n in changed if editors.again(n) not in changed]
        readers = [probe, *(each for each in busy if each.kind != "slow")]
        until(
            lambda: all(each.seen.keys() >= set(lasting) for each in readers),
            "every change is seen by every reader",
        )
    answers = [answer for each in busy for answer in each.answers]
    wrong = faults(answers, options.rows) + [
        fault for each in busy for fault in _slowly(each, options.rows)
    ]
    return {
        "changes": len(changed),
        "full_pulls": len(pulls),
        "pulls_that_failed": sum(map(bool, pulls)),
        "answers": len(answers),
        "answers_with_history": sum(answer.standing is not None for answer in answers),
        "wrong": len(wrong),
        "first_wrong": wrong[:5],
        "straddled": sum(bool(answer.straddled) for answer in answers),
        "publications": len(published),
        "longest_pause_s": longest_pause(published),
        "lag_s": {
            f"{i} {each.kind}": _lags(editors, changed, each) for i, each in enumerate(readers)
        },
    }


def _slowly(slow: Reader, rows: int) -> list[str]:
    """What is wrong with the result that was read for the whole phase."""
    ended = [each for each in slow.told if slow.kind == "slow" and "rows" in each]
    wanted = [{"rows": rows, "keys": rows}] if slow.kind == "slow" else []
    found = [{name: each[name] for name in ("rows", "keys")} for each in ended]
    return [] if found == wanted else [f"a result read slowly has {found}"]


def _lags(editors: Editors, changed: dict[int, float], reader: Reader) -> dict[str, float]:
    """From the API's answer to the reader's, over all changes."""
    seen = reader.seen
    lags = []
    for number, at in changed.items():
        standing: int = number
        while standing not in seen:  # the next change of that appointment was faster
            standing = editors.again(standing)
        lags.append(seen[standing] - at)
    cuts = statistics.quantiles(lags, n=100)
    return {"p50": cuts[49], "p99": cuts[98], "max": max(lags)}


def measure(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """All phases with one daemon, which must hold the source's content in the end."""
    with sandbox(options.rows) as api, tempfile.TemporaryDirectory(prefix="zimun-bench-") as folder:
        daemon = Daemon(Path(folder), api)
        with daemon.serving():
            until(lambda: not differences(api, daemon.database), "DuckDB equals the source")
            editors = Editors(api, _keys(daemon.database))
            results = {
                name: phase(daemon, editors, kinds, options) for name, kinds in PHASES.items()
            }
            until(lambda: not differences(api, daemon.database), "DuckDB equals the source")
    return results


def _keys(database: Path) -> list[str]:
    """Appointments to be changed, all over the table."""
    with duckdb.connect(database, read_only=True) as connection:
        query = (
            f"SELECT appointment_id FROM appointments ORDER BY hash(appointment_id) LIMIT {CHANGED}"
        )
        return [key for (key,) in connection.execute(query).fetchall()]


def failures(results: dict[str, dict[str, Any]], within: float) -> list[str]:
    """Why a measurement counts as failed."""
    found = []
    for name, each in results.items():
        if each["wrong"]:
            found.append(f"{name}: {each['wrong']} wrong, such as {each['first_wrong']}")
        if each["pulls_that_failed"] or not each["full_pulls"]:
            found.append(
                f"{name}: {each['pulls_that_failed']} of {each['full_pulls']} pulls failed"
            )
        late = {who: lag["max"] for who, lag in each["lag_s"].items() if lag["max"] > within}
        if late:
            found.append(f"{name}: seen too late, seconds: {late}")
    return found


def main() -> None:
    """Measure once and print; details go to bench/out/long_read.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pace", type=float, default=50.0, help="changes a second")
    parser.add_argument("--seconds", type=float, default=120.0, help="of each phase")
    parser.add_argument("--within", type=float, default=2.0, help="the longest lag, seconds")
    parser.add_argument(
        "--nice",
        type=int,
        default=0,
        help="of all readers but the probe: with 19 they take only what processor time is left, as "
        "if they had a machine of their own",
    )
    parser.add_argument("--out", type=Path, default=HERE / "out" / "long_read.json")
    options = parser.parse_args()
    results = measure(options)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2))
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, DuckDB "
        f"{duckdb.__version__}; {options.rows:,} rows, {options.pace:g} changes a second"
    )
    print(json.dumps(results, indent=2))
    if wrong := failures(results, options.within):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
