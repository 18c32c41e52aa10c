"""A writer that kills itself: python doomed.py FOLDER MOMENT.

Writes `FIRST` and says so, then begins `SECOND`, which changes, deletes and adds. It dies by
SIGKILL at the moment, in the midst of that; `never` lets it end.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from zimun_connectors.warehouse import WarehouseSettings, connector
from zimun_sync.sinks import Sink, SinkContext
from zimun_sync.testing import delete, make_batch, upsert

FIRST: Final = make_batch(upsert(1, "a", notes="1"), upsert(2, "b", notes="1"))
SECOND: Final = make_batch(upsert(3, "a", notes="2"), delete(4, "b"), upsert(5, "c", notes="2"))


def make_sink(folder: Path) -> Sink:
    settings = {"destination": "duckdb", "credentials": "wh.duckdb", "min_interval": 0}
    return connector.build(WarehouseSettings.model_validate(settings), folder)


def context() -> SinkContext:
    return SinkContext("wh", "store-1", {"main": 10}, lambda: datetime(2026, 11, 20, tzinfo=UTC))


def _moments() -> dict[str, tuple[type, str]]:
    """Class and method that the writer dies instead of."""
    from dlt import Pipeline
    from dlt.destinations.sql_jobs import SqlMergeFollowupJob
    from dlt.load import Load

    from zimun_connectors.warehouse.memory import Memory

    return {
        "normalized": (Pipeline, "load"),
        "staged": (SqlMergeFollowupJob, "generate_sql"),
        "merged": (Load, "complete_package"),
        "loaded": (Memory, "put"),
    }


MOMENTS: Final = ("normalized", "staged", "merged", "loaded")


def _doom(moment: str) -> None:
    if moment == "never":
        return
    owner, name = _moments()[moment]

    def dying(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    kind: Callable[..., Any] = classmethod if moment == "staged" else staticmethod
    setattr(owner, name, kind(dying))


def main(folder: Path, moment: str) -> None:
    """Write until doomed."""
    sink = make_sink(folder)
    sink.open(context())
    sink.write(FIRST)
    sys.stdout.write("written\n")
    sys.stdout.flush()
    _doom(moment)
    sink.write(SECOND)
    sink.close()
    sys.stdout.write("alive\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
