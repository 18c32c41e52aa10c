"""What goes on beside a measurement: readers, publications, one full pull after the other."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beside import beside
from latency import Daemon

from tests.acceptance import reader
from tests.acceptance.answers import Answer


@dataclass
class Reader:
    """A reader's process, and what it told."""

    kind: str
    process: subprocess.Popen[str]
    told: list[dict[str, Any]] = field(default_factory=list)

    def listen(self) -> None:
        """Take down what it tells."""
        self.told += map(json.loads, self.process.stdout or ())

    @property
    def answers(self) -> list[Answer]:
        """Its rounds of questions."""
        return [Answer(**each) for each in self.told if "asked_at" in each]

    @property
    def seen(self) -> dict[int, float]:
        """Change → when it was seen first."""
        first: dict[int, float] = {}
        for each in self.told:
            for number in each.get("changes", ()):
                first.setdefault(number, each["at"])
        return first


@contextmanager
def reading(database: Path, kind: str, nice: int = 0) -> Iterator[Reader]:
    """A reader for the length of the block; one that fails ends this process."""
    command = ["nice", "-n", str(nice), sys.executable, reader.__file__, str(database), kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        found = Reader(kind, process)
        listener = threading.Thread(target=found.listen)
        listener.start()
        try:
            yield found
        finally:
            if process.stdin:
                process.stdin.close()
            listener.join()
        said = process.stderr.read() if process.stderr else ""
    if process.returncode:
        sys.exit(f"A reader ({kind}) failed:\n{said}")


@contextmanager
def publications(database: Path) -> Iterator[set[float]]:
    """When the files that readers open were replaced during the block."""
    data = database.with_name(f"{database.stem}.data")
    files = [data / "delta.duckdb", data / "snapshot.duckdb"]
    found: set[float] = set()

    def watch(over: threading.Event) -> None:
        while not over.wait(0.005):
            found.update(file.stat().st_mtime for file in files)

    with beside(watch):
        yield found
    found -= {min(found)}  # that one was there before


@contextmanager
def full_pulls(daemon: Daemon) -> Iterator[list[int]]:
    """One full listing after the other during the block; their exit codes."""
    codes: list[int] = []

    def pull(over: threading.Event) -> None:
        while not over.is_set():
            codes.append(daemon.run("sync", "--full", "--json").returncode)

    with beside(pull):
        yield codes
