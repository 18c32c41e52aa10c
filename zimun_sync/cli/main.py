"""The entry point: commands, and how an error reaches a person."""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from zimun_sync import __version__
from zimun_sync.cli.helping import prepare_help
from zimun_sync.errors import NotDrained, ZimunSyncError

#: Modules and the commands that they `register`, in the order of `--help`.
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "syncing": ("sync",),
    "serve": ("serve",),
    "querying": ("query", "export"),
    "backfilling": ("backfill",),
    "verifying": ("verify",),
    "state": ("status", "runs"),
    "operating": ("approve", "pause", "resume", "replay"),
    "resetting": ("reset",),
    "records": ("record",),
    "fields": ("fields",),
    "forgetting": ("forget",),
    "sinks": ("connectors", "adopt"),
    "setup": ("init", "check", "demo", "sandbox"),
}
#: Modules whose `app` is a group of commands, and the group's name.
GROUPS: Final[Mapping[str, str]] = {
    "quarantine": "quarantine",
    "activation": "sinks",
    "configuring": "config",
    "backups": "state",
    "webhooks": "webhooks",
}


def command_line(called: str | None = None) -> typer.Typer:
    """The program's commands.

    Args:
        called: only what this command needs, if there is one of that name: importing the
            others takes longer than many a command.
    """
    app = typer.Typer(
        name="zimun-sync",
        help="Keeps your own tools true to your Zimun bookings.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_common)
    every = called not in {
        *GROUPS.values(),
        *(name for names in COMMANDS.values() for name in names),
    }
    for module, names in COMMANDS.items():
        if every or called in names:
            _imported(module).register(app)
    for module, name in GROUPS.items():
        if every or called == name:
            app.add_typer(_imported(module).app, name=name)
    return app


def _imported(module: str) -> Any:
    return import_module(f"zimun_sync.cli.{module}")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"zimun-sync {__version__}")
        raise typer.Exit


def _common(
    _shown: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Keeps your own tools true to your Zimun bookings."""


def main() -> None:
    """Run the command line; errors of ours become a message, a hint and an exit code."""
    # Whatever the caller's umask: nothing that is made here may be changed by other users.
    os.umask(os.umask(0o022) | 0o022)
    # Arrow's own allocator keeps what was freed, up to 70 MB. Arrow reads this when it is imported.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # httpx would import its own command line, with all of click and rich; it can do without.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    prepare_help(sys.argv[1:])
    try:
        command_line(next(iter(sys.argv[1:]), None))()
    except ZimunSyncError as error:
        _tell(error)
        if isinstance(error, NotDrained):
            _leave(error.exit_code)
        sys.exit(error.exit_code)


def _leave(code: int) -> None:
    """End now: Python would wait for threads of pools, and what they wait for may never come."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _tell(error: ZimunSyncError) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble(("error: ", "bold red"), error.message))
    if error.hint:
        console.print(Text.assemble(("  what to do: ", "bold"), error.hint))
