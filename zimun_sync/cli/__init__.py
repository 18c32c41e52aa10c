"""The command line: thin commands over the library."""

from zimun_sync.collector import relax_collector

relax_collector()  # first: what is imported stays, and searching it costs a tenth of the start

from zimun_sync.cli.ending import ended  # noqa: E402
from zimun_sync.cli.main import main  # noqa: E402

__all__ = ["main", "run"]


def run() -> None:
    """The program `zimun-sync`: the command line, and the end of this process."""
    ended(main)
