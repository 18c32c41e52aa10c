"""`zimun-sync verify`: is it all there, in the state and in every sink?"""

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from zimun_sync.cli.common import (
    ConfigOption,
    JsonOption,
    load_config,
    open_store,
    out,
    print_json,
)
from zimun_sync.cli.sinks import refuse_unknown
from zimun_sync.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from zimun_sync.config import Config
    from zimun_sync.events import Emit
    from zimun_sync.pipeline.findings import Compared, SinkState, Verified
    from zimun_sync.pipeline.verify_sinks import SinkInQuestion
    from zimun_sync.store import Store

_LOOK_SECONDS: Final = 0.2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(  # noqa: PLR0913, PLR0917 - one a command line option
    config: ConfigOption = None,
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="Only this source.", show_default=False)
    ] = None,
    sink: Annotated[
        str | None,
        typer.Option("--sink", help="Only this sink; the API is then asked only with --source."),
    ] = None,
    no_source: Annotated[
        bool, typer.Option("--no-source", help="Do not ask the API: state and sinks only.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Bring what differs again, then look once more.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Name every record that differs.")] = False,
    json: JsonOption = False,
) -> None:
    """Compare the API with the state and the state with every sink, record by record.

    Exit code 0: all equal. 1: something could not be compared. 2: usage or configuration.
    3: something differs, is in quarantine, or a sink is parked.
    """
    settings = load_config(config)
    what = _Look(settings, _sources(settings, source), _sinks(settings, sink))
    ask_api = not no_source and (sink is None or source is not None)
    verified = _verify(what, ask_api=ask_api, repair=repair)
    if json:
        print_json(verified.to_json())
    else:
        from zimun_sync.cli.verifying_view import print_verified

        print_verified(out(), verified, every=every)
    raise typer.Exit(verified.exit_code)


def _sources(settings: "Config", name: str | None) -> list[str]:
    if name is not None and name not in settings.sources:
        raise ConfigError(
            f"There is no source named {name!r} in {settings.file}.",
            hint=f"Its sources: {', '.join(settings.sources)}.",
        )
    return list(settings.sources) if name is None else [name]


def _sinks(settings: "Config", name: str | None) -> list[str]:
    if name is not None:
        refuse_unknown(settings, name)
    return list(settings.sinks) if name is None else [name]


def _verify(what: "_Look", *, ask_api: bool, repair: bool) -> "Verified":
    from zimun_sync.cli.syncing import listening, stopping_on_signals

    with listening(what.settings) as emit, stopping_on_signals() as stop:
        verified = what.look(emit, stop, ask_api=ask_api)
        if not repair:
            return verified
        pulled = _pull(what, verified, emit)
        if pulled:  # which brought sinks more than they had when they were looked at
            verified = what.look(emit, stop, ask_api=False)
        delivered = _deliver(what, verified, emit, stop)
        if pulled or delivered:
            verified = what.look(emit, stop, ask_api=ask_api)
        return replace(verified, repaired=pulled | delivered)


def _pull(what: "_Look", verified: "Verified", emit: "Emit") -> dict[str, int]:
    """Pull in full what differs at its source; tells how many records did, by source."""
    from zimun_sync.cli.syncing import sync_now
    from zimun_sync.pipeline.findings import Why

    faults: Counter[str] = Counter()
    for each in verified.sources:
        faults[each.source] += each.count(Why.FAULT)
    pulled = {name: count for name, count in faults.items() if count}
    if pulled:
        sync_now(what.settings, list(pulled), emit, full=True)
    return {f"source {name}": count for name, count in pulled.items()}


def _deliver(what: "_Look", verified: "Verified", emit: "Emit", stop: "Event") -> dict[str, int]:
    """Have what differs in sinks delivered again, by the daemon or here; how many, by sink."""
    from zimun_sync.cli.asking import daemon_runs
    from zimun_sync.cli.backfilling import fill
    from zimun_sync.pipeline.repair import ask_for_sinks, still_waiting

    with open_store(what.settings) as store:
        asked = ask_for_sinks(store, verified.sinks)
        by_daemon = daemon_runs(store)
        if by_daemon:
            _wait(store, what.settings, list(asked), stop)
        waiting = {} if by_daemon else still_waiting(store, list(asked))
    for name in waiting:
        fill(what.settings, name, emit)
    return asked


def _wait(store: "Store", settings: "Config", sinks: "Sequence[str]", stop: "Event") -> None:
    """Wait for the daemon as long as any sink makes progress.

    Raises:
        StoreError: it was ended early.
    """
    from zimun_sync.pipeline.repair import still_waiting

    patience = settings.sync.sink_patience
    waiting, until = still_waiting(store, sinks), time.monotonic() + patience
    while waiting and time.monotonic() < until:
        if stop.wait(_LOOK_SECONDS):
            count = sum(waiting.values())
            raise StoreError(
                f"Ended early: the daemon has yet to deliver {count} records again.",
                hint="It goes on; `zimun-sync verify` tells what came of it.",
            )
        before, waiting = waiting, still_waiting(store, sinks)
        if waiting != before:
            until = time.monotonic() + patience


@dataclass(frozen=True, slots=True)
class _Look:
    """What is to be compared.

    Args:
        settings: the configuration.
        sources: names of the sources that count.
        sinks: names of the sinks.
    """

    settings: "Config"
    sources: "Sequence[str]"
    sinks: "Sequence[str]"

    def look(self, emit: "Emit", stop: "Event", *, ask_api: bool) -> "Verified":
        """Compare everything once.

        Raises:
            StoreError: the state cannot be read, or it was ended early.
        """
        from zimun_sync.pipeline.findings import Verified
        from zimun_sync.pipeline.listings import Interrupted

        try:
            with open_store(self.settings) as store:
                listed = self._listed(store, emit, stop) if ask_api else []
                compared, states = self._held(store, stop)
        except Interrupted:
            raise StoreError(
                "Ended early: nothing was told and nothing was changed.", hint="Ask again."
            ) from None
        return Verified(listed, compared, states)

    def _listed(self, store: "Store", emit: "Emit", stop: "Event") -> "list[Compared]":
        from zimun_sync.pipeline.verify_source import SourceComparison
        from zimun_sync.wiring import source_job

        found: list[Compared] = []
        with ExitStack() as stack:
            for name in self.sources:
                job = stack.enter_context(source_job(self.settings, name, emit, stop))
                found += SourceComparison(job, store, emit, stop.is_set).run()
        return found

    def _held(self, store: "Store", stop: "Event") -> "tuple[list[Compared], dict[str, SinkState]]":
        from zimun_sync.cli.asking import daemon_runs
        from zimun_sync.pipeline.verify_sinks import compare_here, state_of

        if self.sinks and daemon_runs(store):
            return self._by_the_daemon(store, stop)
        compared: list[Compared] = []
        states = {}
        for about in map(self._about, self.sinks):
            compared += compare_here(store, about, stop, stop.is_set)
            states[about.name] = state_of(store, about)
        return compared, states

    def _about(self, name: str) -> "SinkInQuestion":
        from zimun_sync.pipeline.verify_sinks import SinkInQuestion
        from zimun_sync.wiring import build_sink

        settings = self.settings
        streams = {source: settings.sources[source].streams for source in self.sources}
        sink = build_sink(settings, name)
        return SinkInQuestion(name, sink, streams, settings.streams, settings.guards[name])

    def _by_the_daemon(
        self, store: "Store", stop: "Event"
    ) -> "tuple[list[Compared], dict[str, SinkState]]":
        """The daemon holds the sinks: it compares them, each between two deliveries."""
        import msgspec

        from zimun_sync.cli.asking import ask
        from zimun_sync.pipeline.findings import Compared, SinkState

        wanted = {"sinks": list(self.sinks), "sources": list(self.sources)}
        answer = ask(store, "verify", wanted, stop)["verified"]
        compared = msgspec.convert(answer["compared"], list[Compared])
        unknown = set(self.sinks) - set(answer["states"])
        for name in sorted(unknown):
            hint = "If it is new in the configuration: `zimun-sync config reload`."
            failed = "The daemon knows no sink of that name."
            compared.append(Compared("", "", name, failed=failed, hint=hint))
        return compared, msgspec.convert(answer["states"], dict[str, SinkState])
