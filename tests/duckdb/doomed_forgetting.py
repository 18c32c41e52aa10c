"""A sink that forgets and kills itself: python doomed_forgetting.py FOLDER STEP [pull].

With `pull` it does what a sink does when a pull ends, which makes its files smaller.

Before its STEP-th statement, flush, copy, removal or rename it dies by SIGKILL; else it prints
how many there were.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from zimun_connectors.duckdb import DuckdbSettings, DuckdbSink, compaction, files, publish
from zimun_connectors.duckdb.state import State
from zimun_sync.sinks import Forgotten, SinkContext

#: The record to forget.
KEY = "a_1"


def make_sink(folder: Path) -> DuckdbSink:
    """A sink on that folder."""
    return DuckdbSink(DuckdbSettings(path=Path("zimun.duckdb")), folder)


def context(day: int = 20) -> SinkContext:
    """A clock that stands still on that day."""
    now = datetime(2026, 11, day, tzinfo=UTC)
    return SinkContext("doomed", "store-1", {"main": 10**6}, lambda: now)


def forget(sink: DuckdbSink) -> None:
    """Forget the record."""
    assert sink.forget(Forgotten({("main", "appointments"): [KEY]})).complete


def end_pull(sink: DuckdbSink) -> None:
    """Show how a pull went, which tidies up."""
    publish.FOLDED_SIZE, publish.FOLDED_SHARE, compaction.DEAD_SHARE = 0, 0.0, 0.0
    sink.show_freshness(())


def _doom(step: int) -> Callable[[], int]:
    calls = count(1)

    def mortal(act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*args: Any, **options: Any) -> Any:
            if next(calls) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **options)

        return acting

    doomed: tuple[tuple[Any, str], ...] = (
        (State, "rows"),
        (files, "sync"),
        (files, "copy"),
        (Path, "unlink"),
        (Path, "replace"),
    )
    for owner, name in doomed:
        setattr(owner, name, mortal(getattr(owner, name)))
    return lambda: next(calls) - 1


def main(folder: Path, step: int, job: str = "forget") -> None:
    """Do the job until doomed."""
    sink = make_sink(folder)
    sink.open(context(20 if job == "forget" else 21))
    steps = _doom(step)
    {"forget": forget, "pull": end_pull}[job](sink)
    sys.stdout.write(f"{steps()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
