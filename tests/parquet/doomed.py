"""A writer that kills itself: python doomed.py FOLDER STEP.

Writes `batches()` and prints a line for each that is acknowledged. Before its STEP-th change to
the file system below the folder, counted from the start, it dies by SIGKILL.
"""

import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from zimun_connectors.parquet import ParquetSettings, ParquetSink
from zimun_sync.sinks import Batch, SinkContext
from zimun_sync.testing import delete, make_batch, upsert

#: Batches of the story.
BATCHES = 8

_DEADLY = {"os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"}


def batches() -> Iterator[Batch]:
    """Each gives all records its number; one wanders by a month, one exists for a batch only."""
    seq = 0
    for number in range(BATCHES):
        days = [date(2026, 1 + (key % 3), 5) for key in range(20)]
        changes = [
            upsert(seq + key, f"a_{key}", notes=str(number), local_date=day)
            for key, day in enumerate(days, start=1)
        ]
        seq += 20
        wanderer = date(2026, 1 + number, 9)
        changes.append(upsert(seq + 1, "wanderer", notes=str(number), local_date=wanderer))
        changes.append(upsert(seq + 2, f"only_{number}", notes=str(number)))
        changes.append(delete(seq + 3, f"only_{number - 1}"))
        seq += 3
        yield make_batch(*changes, more=number % 3 == 1 and number < BATCHES - 1)


def make_sink(folder: Path) -> ParquetSink:
    """A sink that removes versions as it goes."""
    return ParquetSink(ParquetSettings(path=Path("parquet"), keep_versions=2), folder)


def context() -> SinkContext:
    """A clock that moves with each look."""
    ticks = iter(range(1_000_000))
    start = datetime(2026, 11, 20, tzinfo=UTC)
    return SinkContext(
        "doomed", "store-1", {"main": 10**6}, lambda: start + timedelta(seconds=next(ticks))
    )


def _doom(step: int) -> None:
    steps = iter(range(1, 1_000_000))

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[1], str) and "w" in arguments[1]
        if (writes or event in _DEADLY) and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def main(folder: Path, step: int) -> None:
    """Write until doomed."""
    sink = make_sink(folder)
    _doom(step)
    sink.open(context())
    for batch in batches():
        sink.write(batch)
        sys.stdout.write("written\n")
        sys.stdout.flush()
    sink.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
