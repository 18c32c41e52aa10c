"""The command line in this process, on a project of its own beside a small sandbox."""

import gc
import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.program import Ended, Project, neutral_environment
from zimun_sync.cli import main
from zimun_sync.sandbox import Sandbox, SandboxOptions

ROWS = 40


class Cli:
    """Runs commands as `zimun-sync` does.

    Args:
        capture: where their output is read.
        patch: names them on the command line.
    """

    def __init__(self, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capture = capture
        self._patch = patch

    def __call__(self, *arguments: str) -> Ended:
        self._capture.readouterr()
        self._patch.setattr(sys, "argv", ["zimun-sync", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
        out, err = self._capture.readouterr()
        assert isinstance(code, int)
        return Ended(code, out, err)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(appointments=ROWS)) as running:
        _without_checked_in(running)
        yield running


def _without_checked_in(sandbox: Sandbox) -> None:
    """A CRM may refuse that status, which a world of so few has on some dates only."""
    for item in sandbox.world.appointments.window(0, ROWS).items:
        record = json.loads(item)
        if record["status"] == "checked_in":
            known = record | {"status": "completed"}
            sandbox.world.put_appointment(record["appointment_id"], json.dumps(known).encode())


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox) -> Project:
    """A configuration for the sandbox, in pages of ten."""
    made = Project(tmp_path / "project", sandbox.base_url)
    made.source["page_size"] = 10
    made.sinks["analytics"]["model"] = False  # its views are half of making the files
    made.save()
    return made


@pytest.fixture
def cli(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cli]:
    """Commands run in the project's folder."""
    monkeypatch.chdir(project.folder)
    for name in os.environ.keys() - neutral_environment().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "120")
    # What a log sets for the process it has to itself, put back afterwards.
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(logging.root, "handlers", list(logging.root.handlers))
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    thresholds = gc.get_threshold()
    yield Cli(capsys, monkeypatch)
    gc.set_threshold(*thresholds)  # a sync sets the collector for the process it has to itself
    gc.unfreeze()
