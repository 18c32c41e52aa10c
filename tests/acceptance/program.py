"""The program as people run it: processes of its own, their output and exit codes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PROGRAM = str(Path(sys.executable).with_name("zimun-sync"))
#: What a developer's or a CI's environment would change about the program's output.
_TELLING = ("ZIMUN_", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "COLUMNS")
#: Nothing here should take nearly as long; a hang fails instead of blocking the suite.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)


class Project:
    """A folder with a configuration for one source, DuckDB and CSV; commands run in it.

    Args:
        folder: is made.
        base_url: of the source's API.
        secret: of the API client.
    """

    def __init__(self, folder: Path, base_url: str, secret: str = "sandbox-secret") -> None:
        self.folder = folder
        self.file = folder / "zimun-sync.yaml"
        self.state = folder / "var/state.db"
        self.database = folder / "var/zimun.duckdb"
        self.csv = folder / "var/csv"
        self.settings: dict[str, Any] = {
            "state": "sqlite:///var/state.db",
            "sources": {
                "main": {
                    "base_url": base_url,
                    "client_id": "zimun-sandbox",
                    "client_secret": secret,
                    "paging": "stable",  # one pass over a listing: pages can be counted
                }
            },
            "sinks": {
                "analytics": {"type": "duckdb", "path": "var/zimun.duckdb"},
                "files": {"type": "csv", "path": "var/csv"},
            },
        }
        folder.mkdir(parents=True)
        self.save()

    @property
    def source(self) -> dict[str, Any]:
        """The source's settings; `save` after changing them."""
        found: dict[str, Any] = self.settings["sources"]["main"]
        return found

    @property
    def sinks(self) -> dict[str, dict[str, Any]]:
        """The sinks' settings; `save` after changing them."""
        found: dict[str, dict[str, Any]] = self.settings["sinks"]
        return found

    def save(self) -> None:
        """Write the configuration, for its owner only: it holds a secret."""
        self.file.touch(0o600)
        self.file.write_text(yaml.safe_dump(self.settings, sort_keys=False), encoding="utf-8")

    @contextmanager
    def started(
        self, *arguments: str, environment: Mapping[str, str] | None = None, **options: Any
    ) -> Iterator[subprocess.Popen[str]]:
        """A command that runs for the length of the block at most."""
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env={**neutral_environment(), **(environment or {})},
            text=True,
            **options,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def run(self, *arguments: str, **options: Any) -> Ended:
        """A command, run to its end."""
        pipe = subprocess.PIPE
        with self.started(*arguments, stdout=pipe, stderr=pipe, **options) as process:
            out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return Ended(process.returncode, out, err)

    def sync(self, *arguments: str) -> Ended:
        """`zimun-sync sync --json`."""
        return self.run("sync", "--json", *arguments)

    def files(self) -> list[str]:
        """Every file and folder but the configuration, relative to the project's folder."""
        found = sorted(self.folder.rglob("*"))
        return [str(each.relative_to(self.folder)) for each in found if each != self.file]


def neutral_environment() -> dict[str, str]:
    """The environment without what changes the program's ways."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_TELLING)}


def runs_for(process: subprocess.Popen[str], seconds: float) -> bool:
    """Whether a process still runs after that time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def runs_until(process: subprocess.Popen[str], reached: Callable[[], bool]) -> bool:
    """Wait until something is reached; false if the process ends before it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < deadline, "the process hangs"
        if not runs_for(process, 0.001):
            return False
    return True
