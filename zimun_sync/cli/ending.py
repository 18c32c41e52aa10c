"""The end of a command's process, without what Python does last.

That is to search all memory for cycles, several times, and to take every module apart: of no use
to a process that ends, and a fifth of the CPU of a small sync.
"""

import atexit
import os
import sys
import threading
from collections.abc import Callable


def ended(command: Callable[[], None]) -> None:
    """Run a command and end this process with its exit code.

    Exit handlers run and what was printed is flushed. Whatever else there is to wait for or to
    tell, such as a thread at work, an exception or a closed pipe, is left to Python.
    """
    try:
        command()
    except SystemExit as exit_:
        if exit_.code is not None and not isinstance(exit_.code, int):
            raise
        code = exit_.code or 0
    else:
        code = 0
    if not _alone():
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing ends its children
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)
    os._exit(code)


def _alone() -> bool:
    """Whether there is no other thread that Python would wait for."""
    others = [each for each in threading.enumerate() if each is not threading.current_thread()]
    return all(each.daemon for each in others)
