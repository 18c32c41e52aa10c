"""The comparison at one size: rounds in which each row runs once, in turn."""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measuring import Measured
from rounds import PEERS, Round
from rows import ROWS
from source import sandbox
from table import summary


@dataclass(frozen=True, slots=True)
class Size:
    """What the source is like.

    Args:
        rows: appointments.
        latency_ms: the least time that each page takes.
    """

    rows: int
    latency_ms: int = 0

    def __str__(self) -> str:
        return f"{self.rows:,} rows, {self.latency_ms} ms a page"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Args:
        rounds: how often each row runs.
        only: names of rows; empty for all that are meant for the size.
        settings: of the source, on top of its address and credentials.
        peers: the Python of the peers' environment.
    """

    rounds: int
    only: Sequence[str] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    peers: Path = PEERS

    def names(self, size: Size) -> list[str]:
        """The rows at this size, in order; the drain is always among them."""
        if self.only:
            return [name for name in ROWS if name == "drain" or name in self.only]
        return [name for name, row in ROWS.items() if size.rows <= (row.most or size.rows)]

    @contextmanager
    def round(self, api: dict[str, Any], number: int) -> Iterator[Round]:
        """A round in an empty folder that is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="zimun-bench-") as folder:
            yield Round(api, Path(folder), self.peers, self.settings, number)


def compare(size: Size, plan: Plan) -> dict[str, Any]:
    """Every row's rounds, and their medians beside the drain's of the same round."""
    found: dict[str, list[Measured]] = {name: [] for name in plan.names(size)}
    with sandbox(size.rows, size.latency_ms) as api:
        with plan.round(api, 0) as warm_up:
            warm_up.drain()
        for number in range(plan.rounds):
            with plan.round(api, number) as now:
                for name, measured in found.items():
                    measured.append(ROWS[name].run(now))
                    tell(f"{size}, round {number + 1} of {plan.rounds}", name, measured[-1])
    return {
        "rows": size.rows,
        "latency_ms": size.latency_ms,
        "rounds": plan.rounds,
        "results": {
            name: {"title": ROWS[name].title, "target": ROWS[name].targets.get(size.latency_ms)}
            | summary(measured, found["drain"])
            for name, measured in found.items()
        },
    }


def tell(where: str, name: str, measured: Measured) -> None:
    """One line a measurement, while it goes on."""
    print(
        f"{where}: {name:11} {measured.wall:8.2f} s, CPU {measured.cpu:7.2f} s, "
        f"{measured.peak_mb:5.0f} MB",
        file=sys.stderr,
        flush=True,
    )
