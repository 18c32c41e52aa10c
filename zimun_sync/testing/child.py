"""The writer that the crash checks kill: `python -m zimun_sync.testing.child FILE CLASS FOLDER`.

Loads the contract class from its file, writes the story to the storage under the folder,
prints the last sequence of each batch once `write` has returned, and never closes.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

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


def main(file: str, name: str, folder: str) -> None:
    """Write the story; ends the process without any clean-up."""
    sink = _load(file, name)().harness(Path(folder)).make()
    sink.open(sink_context())
    for batch in story():
        sink.write(batch)
        sys.stdout.write(f"{batch.last_seq}\n")
        sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
