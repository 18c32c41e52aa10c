"""`zimun-sync backfill`: fill a sink from what is stored."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

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
from zimun_sync.errors import ConfigError, LeaseHeld

if TYPE_CHECKING:
    from threading import Event

    from zimun_sync.config import Config
    from zimun_sync.events import Emit
    from zimun_sync.pipeline.report import SyncReport
    from zimun_sync.sinks import Sink
    from zimun_sync.store import Lease, Store


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backfill)


def backfill(
    sink: Annotated[str, typer.Option("--sink", help="The sink to fill.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Fill a new sink, or one that lags, from what is stored; the API is not asked for anything.

    Exit code 0: it holds everything. 1: it was ended early. 2: usage or configuration.
    3: it is parked or behind, or refused records.
    """
    from zimun_sync.cli.syncing import listening

    settings = load_config(config)
    refuse_unknown(settings, sink)
    began = time.monotonic()
    with listening(settings) as emit:
        report = fill(settings, sink, emit)
    if json:
        print_json(report.to_json())
    else:
        print_filled(sink, report, time.monotonic() - began)
    raise typer.Exit(report.exit_code)


def fill(settings: "Config", name: str, emit: "Emit") -> "SyncReport":
    """Deliver to a sink as a sync does, without its pull.

    Raises:
        LeaseHeld: another process delivers to it.
        ConfigError: it has to be activated first, or cannot be used.
    """
    from zimun_sync.cli.syncing import stopping_on_signals
    from zimun_sync.pipeline.contact import Surroundings, delivery_of, try_new_sinks
    from zimun_sync.pipeline.loops import Loops
    from zimun_sync.pipeline.report import SyncReport, sink_report
    from zimun_sync.wiring import build_sink

    relax_collector()
    sink = build_sink(settings, name)
    streams = {source: list(each.streams) for source, each in settings.sources.items()}
    with ExitStack() as stack:
        stop = stack.enter_context(stopping_on_signals())
        store = stack.enter_context(open_store(settings))
        _refuse_inactive(store, name, sink)
        lease = stack.enter_context(held(store, name, stop))
        at = Surroundings(store, emit, stop, settings.streams, settings.guards)
        try_new_sinks({name: sink}, at)
        delivery = delivery_of(name, sink, lease, streams, at)
        with Loops([delivery], stop, settings.sync.sink_patience):
            pass  # leaving it waits until everything is delivered
        refused = len(store.quarantine.entries(sink=name))
        sinks = {name: sink_report(store, delivery)}
        return SyncReport((), sinks, refused, interrupted=stop.is_set())


def _refuse_inactive(store: "Store", name: str, sink: "Sink") -> None:
    from zimun_sync.pipeline.consent import inactive_hint, lacks_consent

    lacking = lacks_consent(store, name, sink)
    if lacking is not None:
        raise ConfigError(f"Sink {name}: {lacking}", hint=inactive_hint(name))


@contextmanager
def held(store: "Store", name: str, stop: "Event", hint: str = "") -> "Iterator[Lease]":
    """The sink's lease, renewed for as long as the block runs.

    Raises:
        LeaseHeld: another process delivers to it; with a hint of its own, where one is given.
    """
    from zimun_sync.pipeline.contact import sink_lease
    from zimun_sync.pipeline.keeper import LeaseKeeper

    with ExitStack() as stack:
        try:
            keeper = stack.enter_context(LeaseKeeper(store, [sink_lease(name)], stop))
        except LeaseHeld as error:
            raise LeaseHeld(
                f"Sink {name} is being delivered to: {error.message}",
                hint=hint
                or f"It is filled there by itself; `zimun-sync sinks show {name}` tells how far.",
            ) from error
        yield keeper.held[sink_lease(name)]


def print_filled(name: str, report: "SyncReport", seconds: float) -> None:
    """What was delivered, for people."""
    sink = report.sinks[name]
    counts = {
        "applied": sink.applied,
        "unchanged": sink.unchanged,
        "rejected": sink.rejected,
        "skipped": sink.skipped,
        "behind": sink.lag_changes,
    }
    told = ", ".join(f"{number(count)} {what}" for what, count in counts.items())
    out().print(f"{name}: {told}; {sink.state}, in {seconds:.1f} s.", markup=False)
    if sink.reason:
        hint = f"\n  what to do: {sink.hint}" if sink.hint else ""
        out().print(f"{sink.reason}{hint}", markup=False)
    if report.in_quarantine:
        out().print(
            f"{number(report.in_quarantine)} in quarantine: see `zimun-sync quarantine list`."
        )
    if report.interrupted:
        out().print("Interrupted: the next backfill or sync goes on from here.")
