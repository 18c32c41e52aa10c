"""The page on the sandbox names everything there is, and its example runs."""

import ast
import re
from pathlib import Path

import pytest
import typer
from starlette.routing import Route

import zimun_sync.sandbox
from zimun_sync.sandbox import Fault, SandboxOptions
from zimun_sync.sandbox.api.app import build
from zimun_sync.sandbox.command import sandbox as command
from zimun_sync.sandbox.faults.fault import KINDS

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def test_every_option_is_documented() -> None:
    app = typer.Typer(add_completion=False)
    app.command()(command)
    options = [opt for param in typer.main.get_command(app).params for opt in param.opts]
    assert [option for option in options if f"`{option}`" not in PAGE] == []


def test_every_kind_of_fault_and_setting_is_documented() -> None:
    names = [*KINDS, *(name for name in Fault.__struct_fields__ if name != "kind")]
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_every_path_is_documented() -> None:
    routes = build(SandboxOptions(appointments=0)).app.routes
    paths = {route.path.partition("{")[0] for route in routes if isinstance(route, Route)}
    endings = {f"/{path.strip('/').rpartition('/')[2]}" for path in paths}
    assert len(endings) > 15
    assert {ending for ending in endings if ending not in PAGE} == set()


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(example, "docs/sandbox.md", "exec"), {})


FOLDER = Path(zimun_sync.sandbox.__file__).parent


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_the_sandbox_knows_nothing_of_what_it_helps_to_test(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    modules += [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    allowed = ("zimun_sync.sandbox", "zimun_sync.errors")
    ours = [name for name in modules if name.startswith("zimun_")]
    assert [name for name in ours if not name.startswith(allowed)] == []
