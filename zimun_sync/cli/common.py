"""What several commands share: the configuration option, opening the state, printing."""

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from zimun_sync.config import Config
    from zimun_sync.store import Store

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file; by default $ZIMUN_SYNC_CONFIG, ./zimun-sync.yaml or "
        "/etc/zimun-sync/config.yaml.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

_PIPE_WIDTH = 160


def load_config(path: Path | None) -> "Config":
    """The configuration, its warnings told on standard error."""
    from zimun_sync.config import load

    config = load(path)
    for warning in config.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return config


@contextmanager
def open_store(config: "Config") -> "Iterator[Store]":
    """The configuration's state, open."""
    from zimun_sync.store import Store

    with Store.open(config.state, config.folder) as store:
        yield store


def out() -> "Console":
    """Standard output for people."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH  # a file or a pipe has no edge to wrap at
    return console


def print_json(content: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(content, ensure_ascii=False, indent=2))


def moment(micros: int | None) -> str:
    """A time for people, in this machine's time zone."""
    if micros is None:
        return "never"
    return datetime.fromtimestamp(micros / 1e6, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(micros: int | None) -> str | None:
    """A time for programs, ISO 8601 in UTC."""
    if micros is None:
        return None
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat()


def number(value: float) -> str:
    """A count with thousands separated."""
    return f"{value:,.0f}"


def ago(seconds: float) -> str:
    """A length of time in its largest fitting unit."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
