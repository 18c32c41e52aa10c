"""The entry point: commands, and how an error reaches a person."""

import os
import sys
from typing import Annotated

import typer

from zimun_sync import __version__
from zimun_sync.cli import (
    activation,
    backfilling,
    backups,
    fields,
    forgetting,
    operating,
    quarantine,
    querying,
    records,
    resetting,
    serve,
    setup,
    sinks,
    state,
    syncing,
    verifying,
    webhooks,
)
from zimun_sync.errors import NotDrained, ZimunSyncError

app = typer.Typer(
    name="zimun-sync",
    help="Keeps your own tools true to your Zimun bookings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS = (
    syncing,
    serve,
    querying,
    backfilling,
    verifying,
    state,
    operating,
    resetting,
    records,
    fields,
    forgetting,
    sinks,
    setup,
)
for group in _COMMANDS:
    group.register(app)
app.add_typer(quarantine.app, name="quarantine")
setup.config_app.command("reload")(serve.reload)
app.add_typer(activation.app, name="sinks")
app.add_typer(setup.config_app, name="config")
app.add_typer(backups.app, name="state")
app.add_typer(webhooks.app, name="webhooks")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"zimun-sync {__version__}")
        raise typer.Exit


@app.callback()
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
    try:
        app()
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
