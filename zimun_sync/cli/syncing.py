"""`zimun-sync sync`."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from zimun_sync.cli.common import ConfigOption, JsonOption, load_config, open_store, out, print_json
from zimun_sync.collector import relax_collector
from zimun_sync.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from zimun_sync.config import Config
    from zimun_sync.events import Emit
    from zimun_sync.pipeline.report import SyncReport
    from zimun_sync.store import Store

#: Variables by which a person has output taken for a terminal's, or not; Rich reads them.
_FORCED: Final = frozenset({"FORCE_COLOR", "TTY_COMPATIBLE"})


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(sync)


def sync(
    config: ConfigOption = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", help="Only this source; repeatable.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="List from the first page, whatever is unfinished.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what sinks would write, field by field; pull and write nothing."
        ),
    ] = False,
    sink: Annotated[
        str | None, typer.Option("--sink", help="Only this sink, with --dry-run.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Pull every source once and deliver to every sink; a running daemon does it, if there is one.

    Exit code 0: done. 1: a listing failed. 2: usage or configuration.
    3: finished, with something in quarantine or a sink parked or behind.
    """
    settings = load_config(config)
    names = _chosen(settings, source)
    if dry_run:
        _refuse(full, "--full lists anew, and --dry-run lists nothing.")
        raise typer.Exit(_rehearse(settings, names, sink, json=json))
    _refuse(sink is not None, "--sink goes with --dry-run: a sync delivers to every sink.")
    began = time.monotonic()
    with open_store(settings) as store:
        report = _by_the_daemon(store, names, full=full)
        if report is None:
            with listening(settings) as emit:
                report = run_sync(settings, store, names, emit, full=full)
    if json:
        print_json(report.to_json())
    else:
        from zimun_sync.cli.summary import print_report

        print_report(out(), report, time.monotonic() - began)
    raise typer.Exit(report.exit_code)


def _refuse(given: bool, why: str) -> None:
    if given:
        raise ConfigError(why, hint="zimun-sync sync --help")


def _rehearse(settings: "Config", names: list[str], sink: str | None, *, json: bool) -> int:
    """Show what sinks would write; tells the exit code."""
    from zimun_sync.cli.dry_run import exit_code, print_rehearsed, rehearse, to_json

    with open_store(settings) as store:
        found = rehearse(settings, store, names, sink)
    if json:
        print_json(to_json(found))
    else:
        print_rehearsed(out(), found)
    return exit_code(found)


def _by_the_daemon(store: "Store", names: list[str], *, full: bool) -> "SyncReport | None":
    """Have the running daemon do it; None where none runs."""
    from zimun_sync.cli.asking import ask, daemon_runs

    if not daemon_runs(store):
        return None
    import msgspec

    from zimun_sync.pipeline.report import SyncReport

    outcome = ask(store, "sync", {"sources": names, "full": full})
    return msgspec.convert(outcome["report"], SyncReport)


def sync_now(
    settings: "Config", names: list[str], emit: "Emit", *, full: bool = False
) -> "SyncReport":
    """One sync of these sources, by the running daemon or here."""
    with open_store(settings) as store:
        by_daemon = _by_the_daemon(store, names, full=full)
        return by_daemon or run_sync(settings, store, names, emit, full=full)


def run_sync(
    settings: "Config", store: "Store", names: list[str], emit: "Emit", *, full: bool = False
) -> "SyncReport":
    """One sync of these sources; ends early on SIGINT or SIGTERM."""
    from zimun_sync.pipeline.cleaning import clean
    from zimun_sync.pipeline.sync import Sync, SyncOptions
    from zimun_sync.wiring import build_sinks, retention, source_job

    relax_collector()
    with ExitStack() as stack:
        stop = stack.enter_context(stopping_on_signals())
        jobs = [stack.enter_context(source_job(settings, name, emit, stop)) for name in names]
        options = SyncOptions(full=full, patience=settings.sync.sink_patience, stop=stop)
        sinks, streams = build_sinks(settings), settings.streams
        others = {name: each.rules for name, each in settings.sources.items() if name not in names}
        sync = Sync(store, jobs, sinks, emit, options, streams, settings.guards, others)
        report = sync.run()
        clean(store, retention(settings), emit, stop.is_set)
        return report


def _chosen(settings: "Config", names: list[str] | None) -> list[str]:
    unknown = set(names or []) - set(settings.sources)
    if unknown:
        raise ConfigError(
            f"There is no source named {min(unknown)!r} in {settings.file}.",
            hint=f"Its sources: {', '.join(settings.sources)}.",
        )
    return names or list(settings.sources)


@contextmanager
def listening(settings: "Config") -> "Iterator[Emit]":
    """A display on a terminal, beside which only errors are told; log lines elsewhere."""
    from zimun_sync.config import secrets_of
    from zimun_sync.logs import LogListener, set_up

    secrets = secrets_of(settings)
    if settings.log.format == "auto" and (console := _terminal()):
        from zimun_sync.cli.display import shown

        set_up("error", "console", secrets)
        with shown(console) as display:
            yield display
    else:
        set_up(settings.log.level, settings.log.format, secrets)
        yield LogListener()


def _terminal() -> "Console | None":
    """Standard error, where a display can be shown on it."""
    if not (sys.stderr.isatty() or _FORCED & os.environ.keys()):
        return None
    from rich.console import Console

    console = Console(stderr=True)
    return console if console.is_terminal else None


@contextmanager
def stopping_on_signals() -> Iterator[Event]:
    """An event that SIGINT and SIGTERM set; a second one ends the process at once."""
    stop = Event()

    def handle(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
