"""Imports run one way, and the command line starts without what it may not need."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import zimun_connectors
import zimun_sync

ROOTS = {
    "zimun_sync": Path(zimun_sync.__path__[0]),
    "zimun_connectors": Path(zimun_connectors.__path__[0]),
}

WORDS = {"model", "errors", "events", "promoting", "__version__"}
SINKS = {"sinks", "stored", "arrow", "tables", "ids", "freshness"}
ENGINE = WORDS | SINKS | {"zimun", "normalize", "store", "privacy"}
#: What each part may import of the others. Whatever is not named here may not be there.
MAY_IMPORT: Mapping[str, set[str]] = {
    "zimun_sync": {"querying"},
    "children": set(),
    "collector": set(),
    "cron": set(),
    "marts": {"freshness", "model"},
    "model": set(),
    "omitting": set(),
    "promoting": {"model"},
    "errors": set(),
    "events": {"model"},
    "ids": set(),
    "freshness": {"model"},
    "sinks": WORDS | {"ids", "freshness", "stored"},
    "stored": {"model"},
    "network": set(),
    "templates": set(),
    "arrow": WORDS | {"sinks", "stored"},
    "tables": WORDS | {"sinks", "stored", "arrow", "freshness", "omitting"},
    "zimun": WORDS | {"network"},
    "normalize": WORDS | {"children", "collector"},
    "store": WORDS | {"normalize", "sinks", "stored", "ids"},
    "privacy": WORDS | {"sinks", "ids"},
    "pipeline": ENGINE,
    "config": ENGINE - {"store"} | {"cron", "network", "templates"},
    "wiring": ENGINE | {"config", "pipeline"},
    "checking": ENGINE | {"config", "pipeline", "wiring"},
    "status": ENGINE | {"config", "pipeline", "cron"},
    "querying": WORDS | SINKS | {"store", "config"},
    "logs": {"events", "omitting"},
    "web": ENGINE | {"config", "status"},
    "daemon": ENGINE
    | {"config", "pipeline", "wiring", "status", "cron", "web", "collector", "templates"}
    | {"network"},
    "cli": ENGINE
    | {"config", "pipeline", "wiring", "checking", "status", "daemon", "logs", "web"}
    | {"sandbox", "collector", "network", "querying"},
    "sandbox": {"errors"},
    "remotes": WORDS | {"sinks", "ids", "network"},
    "testing": ENGINE | {"remotes", "pipeline"},
    "zimun_connectors": WORDS | SINKS | {"marts", "network", "remotes", "children"},
}
#: Libraries that only some parts know, so that nothing of them leaks into interfaces.
KEPT_TO = {
    "arro3": {"arrow", "tables"},
    "httpx": {"network", "zimun", "daemon", "sandbox", "remotes", "zimun_connectors"},
    "httpcore": {"network"},
    "jinja2": {"marts", "remotes", "zimun_connectors"},
    "jwt": {"remotes"},
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "starlette": {"web", "sandbox"},
    "uvicorn": {"web", "sandbox"},
    "apscheduler": {"cron", "daemon"},
    "typer": {"cli", "sandbox"},
    "rich": {"cli"},
    "structlog": {"logs", "cli"},
    "prometheus_client": {"status"},
    "duckdb": {"zimun_connectors", "cli", "querying", "zimun_sync"},
    "dlt": {"zimun_connectors"},
}
NOT_FOR_HELP = {
    "alembic",
    "apscheduler",
    "arro3",
    "dlt",
    "duckdb",
    "httpx",
    "jinja2",
    "jwt",
    "markdown_it",
    "msgspec",
    "numpy",
    "pandas",
    "prometheus_client",
    "pyarrow",
    "pydantic",
    "pygments",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
    "yaml",
}


def _part(module: str) -> str:
    """The part of the project that a module belongs to; a library is one of its own."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] or package if package == "zimun_sync" else package


def _imported(tree: ast.AST, of: Path) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{of} imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files() -> Iterator[tuple[str, Path]]:
    """Every file with the part it belongs to."""
    for package, root in ROOTS.items():
        for file in root.rglob("*.py"):
            inside = file.relative_to(root).with_suffix("").as_posix().replace("/", ".")
            yield _part(f"{package}.{inside}".removesuffix(".__init__")), file


@cache  # not when the module is imported, which every worker does
def _imports() -> frozenset[tuple[str, str]]:
    """Every (part, part it imports)."""
    return frozenset(
        (importer, _part(name))
        for importer, file in _files()
        for name in _imported(ast.parse(file.read_text(encoding="utf-8")), file)
    )


@pytest.mark.parametrize("part", sorted({part for part, _ in _files()}))
def test_imports_run_one_way(part: str) -> None:
    ours = {imported for _, imported in _imports() if imported in MAY_IMPORT}
    used = {imported for importer, imported in _imports() if importer == part} & ours
    assert part in MAY_IMPORT, f"say in MAY_IMPORT what {part} may import"
    assert used - {part} <= MAY_IMPORT[part]


@pytest.mark.parametrize("library", KEPT_TO)
def test_a_library_stays_where_it_belongs(library: str) -> None:
    users = {importer for importer, imported in _imports() if imported == library}
    assert users
    assert users <= KEPT_TO[library]


def test_help_loads_nothing_heavy() -> None:
    script = "import sys; from zimun_sync.cli import main\n"
    script += "try: main()\n"
    script += "finally: print(*sorted({name.partition('.')[0] "
    script += "for name, module in sys.modules.items() if module}))"
    ended = subprocess.run(
        [sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.splitlines()[-1].split())
    assert "typer" in loaded
    assert not loaded & NOT_FOR_HELP


def test_what_help_leaves_out_can_be_imported_afterwards() -> None:
    script = "from zimun_sync.cli.helping import prepare_help; prepare_help(['--help'])\n"
    script += "from rich.markdown import Markdown; from rich.traceback import Traceback\n"
    script += "print(Markdown.__name__, Traceback.__name__)"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout == "Markdown Traceback\n"
