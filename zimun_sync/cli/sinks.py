"""`zimun-sync connectors` and `adopt`."""

from typing import TYPE_CHECKING, Annotated

import typer

from zimun_sync.cli.common import ConfigOption, JsonOption, load_config, open_store, out, print_json
from zimun_sync.errors import ConfigError

if TYPE_CHECKING:
    from zimun_sync.config import Config
    from zimun_sync.pipeline.adopt import Comparison

SinkArgument = Annotated[str, typer.Argument(help="The sink's name in the configuration.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(connectors)
    app.command()(adopt)


def connectors(json: JsonOption = False) -> None:
    """List the installed connectors and what each is for."""
    from zimun_sync import sinks

    found = {name: _summary(name) for name in sorted(sinks.connectors())}
    if json:
        print_json(found)
        return
    for name, summary in found.items():
        out().print(f"[bold]{name:10}[/] {summary}")


def _summary(name: str) -> str:
    from zimun_sync import sinks

    try:
        return sinks.connector(name).summary
    except ConfigError as error:
        return f"{error.message} {error.hint}"


def adopt(
    sink: SinkArgument,
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Adopt without asking.")] = False,
) -> None:
    """Make this state the one that a sink belongs to, after comparing the two.

    For a sink that was filled from another state, or a state restored from a backup.
    Everything is then delivered anew; what the sink already holds costs nothing.
    """
    from zimun_sync.pipeline.adopt import Adoption
    from zimun_sync.wiring import build_sink

    settings = load_config(config)
    refuse_unknown(settings, sink)
    streams = {name: list(each.streams) for name, each in settings.sources.items()}
    made = build_sink(settings, sink)
    guard = settings.guards[sink]
    with (
        open_store(settings) as store,
        Adoption(store, sink, made, settings.streams, guard) as work,
    ):
        for comparison in work.compare(streams):
            _print(comparison)
        if not yes:
            typer.confirm(f"Adopt sink {sink}?", abort=True)
        work.adopt(streams)
    out().print(f"Sink {sink} now belongs to this state; the next sync delivers everything to it.")


def _print(comparison: "Comparison") -> None:
    out().print(
        f"{comparison.source}/{comparison.stream}: {comparison.same} the same, "
        f"{comparison.different} different, {comparison.missing} not in the sink yet, "
        f"{comparison.only_in_sink} only in the sink"
    )


def refuse_unknown(settings: "Config", sink: str) -> None:
    """Make sure that there is a sink of that name.

    Raises:
        ConfigError: there is none.
    """
    if sink not in settings.sinks:
        raise ConfigError(
            f"There is no sink named {sink!r} in {settings.file}.",
            hint=f"Its sinks: {', '.join(settings.sinks) or 'none'}.",
        )
