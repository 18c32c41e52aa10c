"""The command line: thin commands over the library."""

from zimun_sync.cli.main import main

__all__ = ["main"]
