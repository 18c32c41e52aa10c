"""The process that the crash checks kill: `python -m zimun_sync.testing.child FILE CLASS FOLDER`.

Loads the contract class from its file, writes the story to the storage under the folder,
prints the last sequence of each batch once `write` has returned, and never closes. With two more
arguments, a stream and a key, it says so and forgets that record of the source `main` instead.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from zimun_sync.sinks import Forgotten
from zimun_sync.testing.builders import sink_context
from zimun_sync.testing.samples import story


def _load(file: str, name: str) -> Any:
    spec = importlib.util.spec_from_file_location("contract_under_test", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def main(file: str, name: str, folder: str, *forgotten: str) -> None:
    """Write the story, or forget; ends the process without any clean-up."""
    sink = _load(file, name)().harness(Path(folder)).make()
    sink.open(sink_context())
    if forgotten:
        _forget(sink, *forgotten)
    else:
        _write(sink)
    os._exit(0)


def _forget(sink: Any, stream: str, key: str) -> None:
    sys.stdout.write("forgetting\n")
    sys.stdout.flush()
    sink.forget(Forgotten({("main", stream): (key,)}))


def _write(sink: Any) -> None:
    for batch in story():
        sink.write(batch)
        sys.stdout.write(f"{batch.last_seq}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
