"""`zimun-sync status` and `zimun-sync runs`: what the state tells."""

from typing import Annotated

import typer

from zimun_sync.cli.common import ConfigOption, JsonOption, load_config, open_store, out, print_json
from zimun_sync.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(runs)


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show how each source and each sink stands, and what to do.

    Exit code 0: all is well. 1: the state cannot be read. 2: usage or configuration.
    3: something needs you: a source is stale, failed or in doubt, a sink parked or behind.
    """
    from zimun_sync.pipeline.offering import versions_of
    from zimun_sync.status import status_of
    from zimun_sync.wiring import build_sinks

    settings = load_config(config)
    with open_store(settings) as store:
        versions = versions_of(build_sinks(settings), settings.guards)
        found = status_of(store, settings, versions=versions)
    if json:
        print_json(found.to_json())
    else:
        from zimun_sync.cli.status_view import print_status

        print_status(out(), found, settings.schedule.timezone)
    raise typer.Exit(found.exit_code)


def runs(
    config: ConfigOption = None,
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="Only this source's.", show_default=False)
    ] = None,
    status: Annotated[
        str | None,
        typer.Option("--status", help="Only those that ended so, such as failed."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    json: JsonOption = False,
) -> None:
    """Show the latest runs, the newest first."""
    from zimun_sync.status import run_json

    settings = load_config(config)
    _refuse_unknown(status)
    with open_store(settings) as store:
        latest = store.runs.recent(limit, source=source, status=status)
    if json:
        print_json([run_json(run) for run in latest])
    else:
        from zimun_sync.cli.status_view import print_runs

        print_runs(out(), latest)


def _refuse_unknown(status: str | None) -> None:
    from zimun_sync.store import RunStatus

    known = [each.value for each in RunStatus]
    if status is not None and status not in known:
        raise ConfigError(f"No run ends {status!r}.", hint=f"There are {', '.join(known)}.")
