"""Sources, projects and quickly started processes, shared by the tests of a file."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.acceptance.program import Project
from tests.faults.processes import Nursery
from tests.faults.world import ROWS, World
from zimun_sync.sandbox import Sandbox, SandboxOptions

NewWorld = Callable[..., World]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(appointments=ROWS)) as found:
        yield found


@pytest.fixture(scope="module")
def new_world(
    nursery: Nursery, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> NewWorld:
    """Makes a project of its own on the file's source, with the sinks of these names."""
    folder, numbers = tmp_path_factory.mktemp("faults"), count(1)

    def make(*sinks: str, source: Sandbox = sandbox) -> World:
        place: Path = folder / f"project-{next(numbers)}"
        project = Project(place, source.base_url)
        for name in set(project.sinks) - set(sinks):
            del project.sinks[name]
        return World(nursery, source, project)

    return make


@pytest.fixture(scope="module")
def synced(new_world: NewWorld) -> World:
    """A project with CSV files, synced once, for tests that leave it in order."""
    world = new_world("files")
    ended = world.sync()
    assert ended.code == 0, ended.err
    return world
