"""`zimun-sync approve`, `pause`, `resume` and `replay`: what people tell a daemon, or its state."""

from collections.abc import Collection
from contextlib import ExitStack
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from zimun_sync.cli.common import ConfigOption, load_config, number, open_store, out
from zimun_sync.errors import ConfigError

if TYPE_CHECKING:
    from zimun_sync.config import Config
    from zimun_sync.store import Run, Store

SourceOption = Annotated[
    str | None, typer.Option("--source", "-s", help="A source instead of a sink.")
]
SinkArgument = Annotated[str | None, typer.Argument(help="The sink's name.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(approve)
    app.command()(pause)
    app.command()(resume)
    app.command()(replay)


def approve(
    run: Annotated[str, typer.Argument(help="The run's id, as `status` and `runs` show it.")],
    config: ConfigOption = None,
) -> None:
    """Let records be deleted that a listing lacked in suspicious numbers.

    Each one is still asked for by id first, and deleted only when it is gone.
    """
    from zimun_sync.pipeline.approving import approve as take_word

    settings = load_config(config)
    with open_store(settings) as store:
        approved = take_word(store, run)
        tombstoned = _confirm(settings, store, approved)
        waiting = _waiting(store, approved)
    out().print(f"{number(tombstoned)} {approved.stream} were gone and are deleted.")
    if waiting:
        out().print(f"{number(waiting)} could not be asked for now: the next run goes on.")


def _confirm(settings: "Config", store: "Store", run: "Run") -> int:
    from zimun_sync.cli.asking import ask, daemon_runs

    if daemon_runs(store):
        done = ask(store, "confirm", {"run_id": run.run_id})["done"]
        return int(done["tombstoned"]) - run.tombstoned
    return _confirm_here(settings, store, run)


def _confirm_here(settings: "Config", store: "Store", run: "Run") -> int:
    from zimun_sync.pipeline.approving import confirm
    from zimun_sync.pipeline.contact import source_lease
    from zimun_sync.pipeline.keeper import LeaseKeeper
    from zimun_sync.wiring import source_job

    _known(settings.sources, run.source, "source", settings)
    stop = Event()
    with ExitStack() as stack:
        lease = source_lease(run.source)
        keeper = stack.enter_context(LeaseKeeper(store, [lease], stop))
        job = stack.enter_context(source_job(settings, run.source, lambda _event: None, stop))
        ended = confirm(
            store, job, keeper.held[lease], run.run_id, lambda _event: None, stop.is_set
        )
    return ended.tombstoned - run.tombstoned


def _waiting(store: "Store", run: "Run") -> int:
    from zimun_sync.store import MissingState

    return store.missing.count(run.source, run.stream, MissingState.DUE)


def pause(
    sink: SinkArgument = None, source: SourceOption = None, config: ConfigOption = None
) -> None:
    """Deliver nothing to a sink, or pull nothing from a source, until `resume`.

    Nothing is lost: changes and webhooks wait. `sync` still pulls a paused source.
    """
    settings = load_config(config)
    with open_store(settings) as store:
        if _one_of(settings, sink, source) == "sink":
            _pause_sink(store, str(sink))
        else:
            store.pauses.add(str(source))
    which = sink or f"--source {source}"
    out().print(f"{_title(sink, source)} is paused; `zimun-sync resume {which}` lets it go on.")


def _pause_sink(store: "Store", name: str) -> None:
    from zimun_sync.store import ParkKind

    parked = store.deliveries.parked().get(name)
    if parked is not None and parked.kind is not ParkKind.PAUSED:
        raise ConfigError(f"Sink {name} gets nothing already: {parked.reason}", hint=parked.hint)
    hint = f"`zimun-sync resume {name}` lets it go on."
    store.deliveries.park(name, ParkKind.PAUSED, "A person paused it.", hint)


def resume(
    sink: SinkArgument = None, source: SourceOption = None, config: ConfigOption = None
) -> None:
    """Let a paused or parked sink, or a paused source, go on from where it stands."""
    settings = load_config(config)
    with open_store(settings) as store:
        if _one_of(settings, sink, source) == "sink":
            was_waiting = _resume_sink(settings, store, str(sink))
        else:
            was_waiting = store.pauses.remove(str(source))
    said = (
        "goes on: the daemon, or the next sync, takes it up" if was_waiting else "was not held up"
    )
    out().print(f"{_title(sink, source)} {said}.")


def _resume_sink(settings: "Config", store: "Store", name: str) -> bool:
    """Let a sink go on, with what it was held for; tells whether it was waiting."""
    from zimun_sync.pipeline.consent import inactive_hint, lacks_consent
    from zimun_sync.wiring import build_sink

    lacking = lacks_consent(store, name, build_sink(settings, name))
    if lacking is not None:
        raise ConfigError(f"Sink {name}: {lacking}", hint=inactive_hint(name))
    was_waiting = name in store.deliveries.parked()
    store.activations.approve(name)
    store.deliveries.unpark(name)
    return was_waiting


def replay(
    sink: Annotated[str, typer.Argument(help="The sink's name.")],
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="Only what was stored since then (this machine's time zone).",
        ),
    ] = None,
    stream: Annotated[
        str | None, typer.Option("--stream", help="Only this stream, such as appointments.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Deliver everything to a sink again; what it holds already changes nothing."""
    settings = load_config(config)
    _known(settings.sinks, sink, "sink", settings)
    _refuse_unknown_stream(settings, stream)
    micros = None if since is None else int(since.astimezone().timestamp() * 1_000_000)
    with open_store(settings) as store:
        store.activations.doubt_sent(sink)
        store.deliveries.rewind(sink, micros, stream)
    out().print(f"Sink {sink} is delivered to again: by the daemon, or by the next sync.")


def _refuse_unknown_stream(settings: "Config", stream: str | None) -> None:
    from zimun_sync.model import delivered

    given = {name for each in settings.sources.values() for name in delivered(each.streams)}
    if stream is not None and stream not in given:
        raise ConfigError(
            f"No sink is given a stream named {stream!r}.",
            hint=f"Those that are: {', '.join(sorted(given))}.",
        )


def _one_of(settings: "Config", sink: str | None, source: str | None) -> str:
    if (sink is None) == (source is None):
        raise ConfigError(
            "Name a sink, or a source with --source.",
            hint=f"Sinks: {', '.join(settings.sinks) or 'none'}. "
            f"Sources: {', '.join(settings.sources)}.",
        )
    if sink is not None:
        _known(settings.sinks, sink, "sink", settings)
        return "sink"
    _known(settings.sources, str(source), "source", settings)
    return "source"


def _known(known: Collection[str], name: str, kind: str, settings: "Config") -> None:
    if name not in known:
        raise ConfigError(
            f"There is no {kind} named {name!r} in {settings.file}.",
            hint=f"Its {kind}s: {', '.join(known) or 'none'}.",
        )


def _title(sink: str | None, source: str | None) -> str:
    return f"Source {source}" if sink is None else f"Sink {sink}"
