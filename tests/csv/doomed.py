"""Writes batches to a CSV sink and says so, until it is killed: `python doomed.py FOLDER`."""

import sys
from collections.abc import Iterator
from pathlib import Path

from zimun_connectors.csv import CsvSettings, connector
from zimun_sync.sinks import Batch
from zimun_sync.testing import make_batch, sink_context, upsert

BATCHES, EACH = 40, 100


def batches() -> Iterator[Batch]:
    """New records in every batch; the same at every call."""
    for first in range(1, BATCHES * EACH, EACH):
        yield make_batch(*(upsert(seq, f"a_{seq}") for seq in range(first, first + EACH)))


def main(folder: str) -> None:
    """Write all of them, one line of output for each that was acknowledged."""
    sink = connector.build(CsvSettings(path=Path("csv"), changes=True), Path(folder))
    sink.open(sink_context())
    for batch in batches():
        sink.write(batch)
        sys.stdout.write(f"{batch.last_seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
