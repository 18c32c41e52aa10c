"""What a command takes before it has done much: a sync of one page, and `--help`."""

from typing import Any, Final

from measuring import Measured, measure
from rounds import DUCKDB, PAGE_SIZE
from sizes import Plan, tell
from source import program, sandbox
from table import summary

#: Name → title and the most seconds it may take.
STARTS: Final = {
    "first page": ("sync of one page into an empty folder", 0.6),
    "next page": ("the next sync of the same page", 0.6),
    "help": ("`zimun-sync --help`", 0.2),
}


def starts(plan: Plan) -> dict[str, Any]:
    """Each command in turn, as often as the plan says; medians of seconds."""
    found: dict[str, list[Measured]] = {name: [] for name in STARTS}
    with sandbox(PAGE_SIZE) as api:
        for number in range(plan.rounds):
            with plan.round(api, number) as now:
                found["first page"].append(now.first)
                found["next page"].append(now.sync("first", DUCKDB))
            found["help"].append(measure([program("zimun-sync"), "--help"]))
            for name, measured in found.items():
                tell(f"start, round {number + 1} of {plan.rounds}", name, measured[-1])
    return {
        name: {"title": STARTS[name][0], "target_s": STARTS[name][1]} | summary(measured)
        for name, measured in found.items()
    }
