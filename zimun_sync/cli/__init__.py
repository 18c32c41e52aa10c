"""The command line: thin commands over the library."""

import os

from zimun_sync.collector import relax_collector

relax_collector()  # first: what is imported stays, and searching it costs a tenth of the start
# Arrow loads NumPy, whose threads for linear algebra, which nobody wants here, spin for 0.1 s.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # asked of every installed package

from zimun_sync.cli.ending import ended  # noqa: E402
from zimun_sync.cli.main import main  # noqa: E402

__all__ = ["main", "run"]


def run() -> None:
    """The program `zimun-sync`: the command line, and the end of this process."""
    ended(main)
