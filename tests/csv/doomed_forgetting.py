"""A sink that forgets and kills itself: python doomed_forgetting.py FOLDER STEP.

Before its STEP-th flush, removal, rename or transaction it dies by SIGKILL.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from zimun_connectors.common import files
from zimun_connectors.csv import CsvSettings, connector
from zimun_connectors.csv.state import State
from zimun_sync.sinks import Forgotten
from zimun_sync.testing import sink_context


def main(folder: Path, step: int) -> None:
    """Forget `a_1` until doomed."""
    sink: Any = connector.build(CsvSettings(path=Path("csv"), changes=True), folder)
    sink.open(sink_context())
    calls = count(1)

    def mortal(act: Callable[..., Any]) -> Callable[..., Any]:
        def acting(*args: Any, **options: Any) -> Any:
            if next(calls) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return act(*args, **options)

        return acting

    doomed: tuple[tuple[Any, str], ...] = (
        (State, "transaction"),
        (files, "sync"),
        (os, "fsync"),
        (Path, "unlink"),
        (Path, "replace"),
    )
    for owner, name in doomed:
        setattr(owner, name, mortal(getattr(owner, name)))
    sink.forget(Forgotten({("main", "appointments"): ["a_1"]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
