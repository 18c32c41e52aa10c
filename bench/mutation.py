"""How many mistakes, made on purpose in the code that keeps data safe, the tests notice.

mutmut makes them in a copy of the tree, build/mutation, never in the checkout; what it mutates
and which tests have to notice stands in pyproject.toml, `[tool.mutmut]`. Fails if a module's
share of noticed ones is below 90%. See docs/mutation.md. Usage, in the environment that
`make mutation` makes:

    python bench/mutation.py [NAME ...]     # e.g. 'zimun_sync.store.merge.*'; else everything
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LEAST: Final = 0.9
ROOT: Final = Path(__file__).parent.parent
COPY: Final = ROOT / "build" / "mutation"
_TREES: Final = ("zimun_sync", "connectors", "config", "tests")
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", ".venvs", ".hypothesis")
#: How a test run of a mutant ends that was noticed: tests failed, or broke down.
_FAILED: Final = {1, 3}
#: As mutmut tells that a mutant ran on and on.
_ENDLESS: Final = {-24, 24, 36, 152, 255}


@dataclass(frozen=True, slots=True)
class Score:
    """What became of a module's mutants.

    Args:
        module: its path.
        noticed: how many the tests noticed, those included that ran on and on.
        missed: names of those that they did not.
        untried: how many were not tried.
    """

    module: str
    noticed: int
    missed: Sequence[str]
    untried: int

    @property
    def tried(self) -> int:
        """How many there were, without those not tried."""
        return self.noticed + len(self.missed)

    @property
    def share(self) -> float:
        """The share of those tried that was noticed; nothing tried is nothing noticed."""
        return self.noticed / self.tried if self.tried else 0.0


def score_of(meta: Path) -> Score:
    """What mutmut took down of one module."""
    codes: dict[str, int | None] = json.loads(meta.read_text())["exit_code_by_key"]
    tried = {name: code for name, code in codes.items() if code is not None}
    missed = [name for name, code in tried.items() if code not in _FAILED | _ENDLESS]
    module = str(meta.relative_to(COPY / "mutants").with_suffix(""))
    return Score(module, len(tried) - len(missed), missed, len(codes) - len(tried))


def lay_copy() -> None:
    """Copy what is mutated and what tests it, over what an earlier run left."""
    shutil.rmtree(COPY, ignore_errors=True)
    for name in _TREES:
        shutil.copytree(ROOT / name, COPY / name, ignore=_LEFT_OUT)
    shutil.copy2(ROOT / "pyproject.toml", COPY)


def scores() -> Iterator[Score]:
    """Of every module that has mutants which were tried."""
    found = (score_of(meta) for meta in sorted((COPY / "mutants").rglob("*.py.meta")))
    return (score for score in found if score.tried)


def table(found: Sequence[Score]) -> str:
    """The scores as docs/mutation.md shows them, and what was missed."""
    lines = ["| module | mutants | noticed | missed | score |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| `{each.module}` | {each.tried} | {each.noticed} | {len(each.missed)} "
        f"| {each.share:.1%} |"
        for each in found
    ]
    lines += [f"missed: {name}" for each in found for name in each.missed]
    lines += [f"not tried: {each.untried} of {each.module}" for each in found if each.untried]
    return "\n".join(lines)


def main() -> int:
    """Run mutmut in a copy, and tell what the tests noticed."""
    parser = argparse.ArgumentParser(description="Mutation testing, in a copy of the tree.")
    parser.add_argument("names", nargs="*", help="only these mutants; patterns are understood")
    names = parser.parse_args().names
    lay_copy()
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names]
    subprocess.run(command, cwd=COPY, check=True)
    found = list(scores())
    print(table(found))
    low = [each.module for each in found if each.share < LEAST]
    if low or not found:
        print(f"Below {LEAST:.0%}: {', '.join(low) or 'nothing was tried'}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
