"""`zimun-sync reset`: empty a sink and fill it anew from what is stored."""

import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from zimun_sync.cli.common import (
    ConfigOption,
    JsonOption,
    load_config,
    number,
    open_store,
    out,
    print_json,
)
from zimun_sync.cli.sinks import refuse_unknown
from zimun_sync.collector import relax_collector
from zimun_sync.errors import StoreError

if TYPE_CHECKING:
    from zimun_sync.config import Config

_IN_USE: Final = (
    "Stop the daemon, or wait for the sync to end; `zimun-sync verify --repair` needs neither."
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reset)


def reset(
    sink: Annotated[str, typer.Argument(help="The sink's name.")],
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Delete every record that a sink holds and deliver everything anew from the state.

    Exit code 0: it holds everything. 1: it was ended early, or is in use. 2: usage,
    configuration, or a sink that cannot be emptied. 3: parked or behind, or it refused records.
    """
    from zimun_sync.cli.backfilling import fill, print_filled
    from zimun_sync.cli.syncing import listening
    from zimun_sync.pipeline.emptying import refuse_to_empty
    from zimun_sync.wiring import build_sink

    settings = load_config(config)
    refuse_unknown(settings, sink)
    refuse_to_empty(sink, build_sink(settings, sink))
    if not yes:
        typer.confirm(_question(sink), abort=True)
    began = time.monotonic()
    deleted = _empty(settings, sink)
    with listening(settings) as emit:
        report = fill(settings, sink, emit)
    if json:
        print_json({"deleted": deleted} | report.to_json())
    else:
        out().print(f"{sink}: {number(deleted)} records deleted.", markup=False)
        print_filled(sink, report, time.monotonic() - began)
    raise typer.Exit(report.exit_code)


def _question(sink: str) -> str:
    return (
        f"Delete everything that sink {sink} holds and deliver it anew? Its readers find it "
        "empty or half full for a while."
    )


def _empty(settings: "Config", name: str) -> int:
    from zimun_sync.cli.backfilling import held
    from zimun_sync.cli.syncing import stopping_on_signals
    from zimun_sync.pipeline.emptying import empty
    from zimun_sync.pipeline.verify_sinks import SinkInQuestion
    from zimun_sync.wiring import build_sink

    relax_collector()
    streams = {source: list(each.streams) for source, each in settings.sources.items()}
    guard = settings.guards[name]
    about = SinkInQuestion(name, build_sink(settings, name), streams, settings.streams, guard)
    with stopping_on_signals() as stop, open_store(settings) as store:
        with held(store, name, stop, _IN_USE) as lease:
            deleted = empty(store, about, lease, stop)
        if stop.is_set():
            raise StoreError(
                f"Ended early: {number(deleted)} records of sink {name} are deleted so far.",
                hint=f"`zimun-sync reset {name}` goes on; the next sync brings everything anew.",
            )
    return deleted
