"""Run a command and write the kernel's account of it to a file; a process of its own.

A process begins with the peak memory of the one that started it, so it is started by this small
one. Usage: python launch.py ACCOUNT COMMAND …
"""

import json
import os
import sys
import time
from typing import NamedTuple


class Account(NamedTuple):
    """What the kernel says of a process and the children it waited for.

    Args:
        wall: seconds from start to end.
        cpu: seconds of CPU.
        peak_kb: the most memory that the largest of them held, kB.
        code: its exit code, negative for a signal.
    """

    wall: float
    cpu: float
    peak_kb: int
    code: int


def launch(command: list[str]) -> Account:
    """Run a command to its end."""
    began = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(process, 0)
    wall = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    return Account(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, code)


if __name__ == "__main__":
    account = launch(sys.argv[2:])
    with open(sys.argv[1], "w") as stream:  # noqa: PTH123 - pathlib is not worth its memory here
        json.dump(account, stream)
