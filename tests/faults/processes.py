"""The other end of `nursery.py`: real `zimun-sync` processes, started in no time."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.acceptance.program import PATIENCE_SECONDS, Ended, Project, neutral_environment

_ROOT = Path(__file__).parents[2]
#: As the program sets it for itself; and no threads but its own.
_ENVIRONMENT = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}


def _path() -> str:
    return os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))


class Nursery:
    """Starts processes; use it as a context manager."""

    def __enter__(self) -> Self:
        self._parent = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py"))],
            env=neutral_environment() | _ENVIRONMENT | {"PYTHONPATH": _path()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._parent.communicate()

    def order(self, **order: Any) -> Any:
        """Have something done, and return what is answered."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(f"{json.dumps(order)}\n")
        self._parent.stdin.flush()
        return json.loads(self._parent.stdout.readline())

    @contextmanager
    def started(
        self, project: Project, *arguments: str, **circumstances: Any
    ) -> Iterator["Process"]:
        """A `zimun-sync` command in a project's folder, killed at the end of the block.

        Args:
            project: where.
            arguments: of the command line.
            circumstances: functions of `circumstances.py` and their arguments.
        """
        out, err = project.folder.with_suffix(".out"), project.folder.with_suffix(".err")
        for file in (out, err):
            file.write_text("")
        start = {
            "folder": str(project.folder),
            "arguments": arguments,
            "out": str(out),
            "err": str(err),
            "circumstances": circumstances,
        }
        process = Process(self, self.order(start=start)["pid"], out, err)
        try:
            yield process
        finally:
            process.kill()

    def run(self, project: Project, *arguments: str, **circumstances: Any) -> Ended:
        """The same, run to its end."""
        with self.started(project, *arguments, **circumstances) as process:
            return process.ended()


@dataclass
class Process:
    """A running command, and the files of what it says."""

    nursery: Nursery
    pid: int
    out: Path
    err: Path
    code: int | None = None

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int | None:
        """How it ended; None if it still runs after that time."""
        if self.code is None:
            self.code = self.nursery.order(wait=self.pid, seconds=seconds)["code"]
        return self.code

    def ended(self) -> Ended:
        """Everything, once it has ended."""
        code = self.wait()
        assert code is not None, "the process hangs"
        return Ended(code, self.out.read_text(), self.err.read_text())

    def signal(self, number: int) -> None:
        """Send a signal to it, if it has not ended."""
        if self.code is None:
            os.kill(self.pid, number)  # not reaped yet, so the number is still its own

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.signal(signal.SIGKILL)
        self.wait()
