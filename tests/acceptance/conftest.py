"""Sandboxes to sync from, and projects that do."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.acceptance.program import Project
from zimun_sync.sandbox import Sandbox, SandboxOptions

Serve = Callable[..., Sandbox]
NewProject = Callable[..., Project]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a sandbox as the keywords say."""
    with ExitStack() as stack:

        def start(**settings: object) -> Sandbox:
            options = SandboxOptions(**settings)  # type: ignore[arg-type]
            return stack.enter_context(Sandbox(options))

        yield start


@pytest.fixture
def new_project(tmp_path: Path) -> NewProject:
    """Makes a project in a folder of its own."""
    numbers = count(1)
    return lambda *arguments: Project(tmp_path / f"project-{next(numbers)}", *arguments)
