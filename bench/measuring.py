"""One command, measured whole: seconds on the wall, seconds of CPU, memory of all its processes."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import launch
from beside import beside

#: Seconds between two looks at memory.
_INTERVAL: Final = 0.1
#: A closer look takes milliseconds of a core, so it needs so much more to have become resident.
_WORTH: Final = 1.02


@dataclass(frozen=True, slots=True)
class Measured:
    """One command.

    Args:
        wall: seconds from its start to its end.
        cpu: seconds of CPU, its children's included.
        peak_mb: the most memory its processes held together, shared pages counted once, as seen
            at moments; at least what the kernel noted of the largest of them.
        said: what it wrote to standard output.
    """

    wall: float
    cpu: float
    peak_mb: float
    said: str = field(default="", repr=False)


def measure(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Measured:
    """Run a command to its end and read the kernel's account of it.

    Args:
        command: the program and its arguments.
        folder: where it runs; by default here.
        environment: variables on top of ours.

    A command that fails ends this process with what it said.
    """
    variables = os.environ | (environment or {})
    with tempfile.TemporaryDirectory() as place:
        account, said, complaint = (Path(place, name) for name in ("account", "out", "err"))
        launcher = [sys.executable, "-S", "-E", launch.__file__, str(account), *command]
        with said.open("w") as out, complaint.open("w") as err:
            process = subprocess.Popen(launcher, stdout=out, stderr=err, cwd=folder, env=variables)
            with _watched(process.pid) as seen:
                process.wait()
        told = launch.Account(*json.loads(account.read_text()))
        if told.code:
            sys.exit(f"{' '.join(command)} failed:\n{complaint.read_text()}")
        return Measured(told.wall, told.cpu, max(told.peak_kb, *seen) / 1024, said.read_text())


@contextmanager
def _watched(process: int) -> Iterator[list[int]]:
    """What a process's descendants held, in kB, at moments during the block."""
    seen = [0]

    def watch(over: threading.Event) -> None:
        most = 0.0
        while not over.wait(_INTERVAL):
            family = list(_descendants(process))
            resident = sum(map(_resident, family))
            if resident > most * _WORTH:
                most = resident
                seen.append(sum(map(_held, family)))

    with beside(watch):
        yield seen


def _descendants(process: int) -> Iterator[int]:
    for listed in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, _read(listed).split()):
            yield child
            yield from _descendants(child)


def _resident(process: int) -> int:
    """Its resident pages: quickly told, but what several share counts for each."""
    return int((_read(Path(f"/proc/{process}/statm")).split() or "00")[1])


def _held(process: int) -> int:
    """Its proportional set size: a page that several share counts once in all."""
    for line in _read(Path(f"/proc/{process}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _read(file: Path) -> str:
    """The file's text; nothing if the process has just ended, or the system has no such files."""
    try:
        return file.read_text()
    except OSError:
        return ""
