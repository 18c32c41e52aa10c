"""Commands that read: a project that was synced once, beside its sandbox."""

from collections.abc import Iterator

import pytest

from tests.acceptance.program import Project
from tests.cli.conftest import ROWS, Cli, cli, project, sandbox
from zimun_sync.sandbox import Sandbox, SandboxOptions

__all__ = ["ROWS", "Cli", "ask", "cli", "filled", "project", "sandbox", "synced"]


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that was synced; tests that change nothing share it."""
    with Sandbox(SandboxOptions(appointments=ROWS)) as sandbox:
        made = Project(tmp_path_factory.mktemp("filled") / "project", sandbox.base_url)
        assert made.sync().code == 0
        yield made


@pytest.fixture
def ask(cli: Cli, filled: Project, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Commands that change nothing, in the project that is shared."""
    monkeypatch.chdir(filled.folder)
    return cli


@pytest.fixture
def synced(cli: Cli) -> Cli:
    """Commands in a project of the test's own, after one sync."""
    assert cli("sync").code == 0
    return cli
