"""Starts `zimun-sync` processes without the second that starting Python costs each of them.

    python nursery.py

A program of its own: it imports everything once and forks, and forking wants a process without
threads. Orders come as lines of JSON on standard input, each is answered by a line on standard
output; `tests/faults/processes.py` is the other end.

    {"start": {"folder", "arguments", "out", "err", "circumstances"}}  → {"pid"}
    {"wait": pid, "seconds": s}  → {"code"}, null while it still runs

A child is a process like any other: it runs `zimun_sync.cli.main` with arguments, a working
folder and files for its output, has locks, threads and sockets of its own, and can be killed.
"""

import json
import os
import signal
import sys
import threading
import time
from importlib import import_module
from typing import Any

import phonenumbers

#: What commands import where they need it, or because a configuration names it.
_NEEDED = [
    "alembic.command",
    "duckdb",
    "pandas",
    "psycopg",
    "pyarrow",
    "sqlalchemy.dialects.postgresql",
    "uvicorn",
    "zimun_connectors.csv",
    "zimun_connectors.duckdb",
    "zimun_connectors.postgres",
    "zimun_sync.checking",
    "zimun_sync.cli",
    "zimun_sync.cli.asking",
    "zimun_sync.cli.summary",
    "zimun_sync.daemon",
    "zimun_sync.logs",
    "zimun_sync.pipeline.sync",
    "zimun_sync.wiring",
    "tests.faults.circumstances",
]


def next_child() -> dict[str, Any]:
    """Obey orders; returns in a child only, with what that one has to do."""
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            pid = os.fork()
            if not pid:
                return dict(order["start"])
            answer: dict[str, int | None] = {"pid": pid}
        else:
            answer = {"code": _ended(order["wait"], order["seconds"])}
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()
    os._exit(0)  # nothing to clean up, and DuckDB would remark on what it leaves


def _ended(pid: int, seconds: float) -> int | None:
    """How a child ended, as `subprocess` puts it; None if it still runs after that time."""
    deadline = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        signal.sigtimedwait([signal.SIGCHLD], left)


def live(order: dict[str, Any]) -> None:
    """Be a `zimun-sync` process."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    for descriptor, path in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
        flags = os.O_RDWR | os.O_CREAT | (os.O_APPEND if descriptor else 0)
        os.dup2(os.open(path, flags, 0o600), descriptor)
    os.chdir(order["folder"])
    sys.argv = ["zimun-sync", *order["arguments"]]
    for name, argument in order["circumstances"].items():
        sys.modules["tests.faults.circumstances"].bring_about(name, argument)
    sys.modules["zimun_sync.cli"].main()


def prepare() -> None:
    """Import everything, as `zimun_sync.cli.main` would."""
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    for name in _NEEDED:
        import_module(name)
    sys.modules["zimun_sync.cli.main"].command_line()
    phonenumbers.parse("+49 30 1234567")  # reads its tables


if __name__ == "__main__":
    prepare()
    assert threading.active_count() == 1, "forking wants a process without threads"
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    live(next_child())
