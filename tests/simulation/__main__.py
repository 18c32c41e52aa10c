"""`python -m tests.simulation --seed N -v`, or `--seeds 0-9999 --jobs 2`."""

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from time import process_time

from tests.simulation.runner import Outcome, run


def main() -> int:
    """Run the seeds that the command line names; 1 if one of them fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="play one scenario")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell its story")
    parser.add_argument("--seeds", default="0-199", help="play many, such as 0-9999")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return _one(chosen.seed, verbose=chosen.verbose)
    first, _, last = chosen.seeds.partition("-")
    return _many(range(int(first), int(last or first) + 1), chosen.jobs)


def _one(seed: int, *, verbose: bool) -> int:
    outcome = run(seed, print if verbose else None)
    print(outcome if outcome.violations else f"Seed {seed}: nothing is wrong.")
    return bool(outcome.violations)


def _many(seeds: range, jobs: int) -> int:
    failed, crashes, requests = [], 0, 0
    for number, outcome in enumerate(_outcomes(seeds, jobs), start=1):
        crashes += outcome.crashes
        requests += outcome.requests
        if outcome.violations:
            failed.append(outcome.seed)
            print(outcome, flush=True)
        if number % 500 == 0:
            print(f"{number} of {len(seeds)}: {len(failed)} failed", flush=True)
    print(
        f"{len(seeds)} seeds: {len(failed)} failed {failed or ''}; "
        f"{crashes} kills, {requests} requests, {process_time():.0f} s of this process"
    )
    return bool(failed)


def _outcomes(seeds: range, jobs: int) -> Iterable[Outcome]:
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, seeds, chunksize=20)


if __name__ == "__main__":
    sys.exit(main())
