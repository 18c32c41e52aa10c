"""`zimun-sync init`, `check`, `sandbox` and `demo`."""

from pathlib import Path
from typing import Annotated

import typer

from zimun_sync.cli.common import ConfigOption, JsonOption, load_config, out, print_json
from zimun_sync.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    from zimun_sync.sandbox.command import sandbox

    app.command()(init)
    app.command()(check)
    app.command()(demo)
    app.command()(sandbox)


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("zimun-sync.yaml"),
) -> None:
    """Write a small commented configuration to start from."""
    from zimun_sync.config import starter

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(starter())
    except FileExistsError:
        raise ConfigError(
            f"{path} exists already.", hint="Name another file, or edit this one."
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    out().print(
        f"Wrote {path}.\nSet ZIMUN_CLIENT_ID and ZIMUN_CLIENT_SECRET, then run "
        f"`zimun-sync check --config {path}` and `zimun-sync sync --config {path}`.",
        markup=False,
    )


def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Try credentials, scopes and sinks without changing anything.

    Exit code 0: all good. 1: something needs attention. 2: configuration.
    """
    from zimun_sync.checking import check_all

    findings = []
    for finding in check_all(load_config(config)):
        findings.append(finding)
        if not json:
            mark, style = {"ok": ("✓", "green"), "note": ("-", "yellow")}.get(
                finding.verdict, ("✗", "red")
            )
            out().print(f"[{style}]{mark}[/] [bold]{finding.what}[/]", end=" ")
            out().print(finding.message, markup=False)
            if finding.hint:
                out().print(f"    what to do: {finding.hint}", markup=False)
    if json:
        print_json([finding.to_json() for finding in findings])
    raise typer.Exit(1 if any(finding.verdict == "bad" for finding in findings) else 0)


def demo(
    folder: Annotated[
        Path, typer.Option(help="Where the demo's configuration and data go.")
    ] = Path("demo"),
    appointments: Annotated[int, typer.Option(min=10, help="How many to make up.")] = 3000,
) -> None:
    """Show the main job on a made-up business: two syncs, a query, and where the files lie."""
    from zimun_sync.cli.demo import run

    run(folder, appointments)
