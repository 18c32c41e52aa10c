"""A writer that kills itself: python doomed.py FOLDER STEP [DELTA].

Writes `batches()` and prints a line for each that is acknowledged. Before its STEP-th
statement, flush, copy or rename it dies by SIGKILL, or before the checkpoint of its DELTA-th
delta that follows an acknowledged batch.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from zimun_connectors.duckdb import DuckdbSettings, DuckdbSink, files, publish, sql
from zimun_connectors.duckdb.state import State
from zimun_sync.sinks import Batch, SinkContext
from zimun_sync.testing import delete, make_batch, upsert

#: Batches of the story.
BATCHES = 8


def batches() -> Iterator[Batch]:
    """Each replaces the notes of twenty records by its number and deletes one of its own."""
    seq = 0
    for number in range(BATCHES):
        changes = [upsert(seq + key, f"a_{key}", notes=str(number)) for key in range(1, 21)]
        seq += 20
        changes.append(upsert(seq + 1, f"only_{number}", notes=str(number)))
        changes.append(delete(seq + 2, f"only_{number - 1}"))
        seq += 2
        yield make_batch(*changes, more=number % 3 == 1 and number < BATCHES - 1)


def make_sink(folder: Path) -> DuckdbSink:
    """A sink that writes snapshots and deltas in turn."""
    publish.DELTA_ROWS = 15
    return DuckdbSink(DuckdbSettings(path=Path("zimun.duckdb")), folder)


def context() -> SinkContext:
    """A clock that moves fast enough for everything to come due."""
    ticks = iter(range(1_000_000))
    start = datetime(2026, 11, 20, tzinfo=UTC)
    return SinkContext(
        "doomed", "store-1", {"main": 10**6}, lambda: start + timedelta(seconds=next(ticks))
    )


def _doom(step: int) -> None:
    calls = iter(range(1, 1_000_000))

    def mortal(act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*args: Any, **options: Any) -> Any:
            if next(calls) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **options)

        return acting

    vars_of: tuple[tuple[Any, str], ...] = (
        (State, "rows"),
        (files, "sync"),
        (files, "copy"),
        (Path, "replace"),
    )
    for owner, name in vars_of:
        setattr(owner, name, mortal(getattr(owner, name)))


def _doom_delta(number: int) -> None:
    if not number:
        return
    publish.DELTA_SHARE = 1000.0  # every publication is a delta
    sql.STORAGE_WITHOUT_LOG = sql.STORAGE  # as in releases that left a log behind
    rows = State.rows
    deltas = iter(range(1, 1_000_000))

    def mortal(state: State, statement: str, *parameters: Any) -> Any:
        if statement == "CHECKPOINT delta" and next(deltas) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return rows(state, statement, *parameters)

    setattr(State, "rows", mortal)  # noqa: B010 - mypy knows a method when it sees one


def main(folder: Path, step: int, delta: int = 0) -> None:
    """Write until doomed."""
    sink = make_sink(folder)
    _doom(step)
    sink.open(context())
    _doom_delta(delta)
    for batch in batches():
        sink.write(batch)
        sys.stdout.write("written\n")
        sys.stdout.flush()
    sink.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:]))
