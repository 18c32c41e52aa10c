"""Real systems as processes of their own, for as long as a test needs them."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

_HOME = Path(__file__).with_name(".venvs")
#: Far more than a start takes; a server that hangs fails instead of blocking the suite.
_PATIENCE_SECONDS = 60.0


def installed(system: str) -> Path:
    """The environment of a system; a test that asks for one that is not there is skipped."""
    folder = _HOME / system
    if (folder / ".installed").exists():
        return folder
    reason = f"{system} is not installed: sh tests/services.sh"
    if "CI" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    """A server, from when it takes connections until the block ends.

    Args:
        command: starts it in the foreground.
        port: it listens on.
        log: takes what it says.
    """
    with log.open("w") as output, _process(command, output.fileno()) as process:
        _wait_for(port, process, log)
        yield


@contextmanager
def _process(command: Sequence[str], output: int) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)  # a process tells nobody when it begins to listen
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on {port}:\n{log.read_text()}")
