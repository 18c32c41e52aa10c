"""`zimun-sync sinks`: which there are, what they remember, and activating one."""

from typing import TYPE_CHECKING, Annotated

import typer

from zimun_sync.cli.common import ConfigOption, JsonOption, load_config, open_store, out, print_json
from zimun_sync.cli.sinks import SinkArgument, refuse_unknown

if TYPE_CHECKING:
    from zimun_sync.config import Config
    from zimun_sync.pipeline.activating import Announcement
    from zimun_sync.sinks import NeedsActivation
    from zimun_sync.store import Store

app = typer.Typer(
    help="Sinks: how they stand, and letting one write to a remote system.", no_args_is_help=True
)


@app.command("list")
def list_sinks(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the sinks: where each writes, since when it may, and what it remembers."""
    from zimun_sync.cli.sinks_view import print_sinks, standings

    settings = load_config(config)
    with open_store(settings) as store:
        found = standings(settings, store)
    if json:
        print_json({name: each.to_json() for name, each in found.items()})
    else:
        print_sinks(out(), found)


@app.command()
def show(sink: SinkArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show one sink, with everything it noticed that a person may want to mend."""
    from zimun_sync.cli.sinks_view import print_sink, standings

    settings = load_config(config)
    refuse_unknown(settings, sink)
    with open_store(settings) as store:
        found = standings(settings, store)[sink]
    if json:
        print_json(found.to_json())
    else:
        print_sink(out(), sink, found)


@app.command()
def activate(
    sink: SinkArgument,
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Activate without asking.")] = False,
    json: JsonOption = False,
) -> None:
    """Let a sink write to its remote system, after showing what it would write there.

    Nothing is written by this command itself. With --json it asks nothing: it activates only
    with --yes.
    """
    from zimun_sync.cli.sinks_view import print_announcement
    from zimun_sync.pipeline.activating import activate as record

    settings = load_config(config)
    built = _needing_activation(settings, sink)
    with open_store(settings) as store:
        if _is_active(store, sink, built, json=json):
            return
        announcement = _announced(settings, store, sink, built)
        if not json:
            print_announcement(out(), announcement)
        agreed = yes or (not json and typer.confirm(f"Activate sink {sink}?", abort=True))
        if agreed:
            record(store, announcement)
    if json:
        print_json(announcement.to_json() | {"activated": agreed})
    else:
        out().print(f"Sink {sink} is active: the daemon, or the next sync, takes it up.")


@app.command()
def deactivate(sink: SinkArgument, config: ConfigOption = None) -> None:
    """Let a sink write no more, until it is activated again; what it remembers stays."""
    settings = load_config(config)
    _needing_activation(settings, sink)
    with open_store(settings) as store:
        was_active = store.activations.deactivate(sink)
    said = "writes nothing from now on" if was_active else "was not active"
    out().print(f"Sink {sink} {said}; `zimun-sync sinks activate {sink}` lets it write.")


def _needing_activation(settings: "Config", name: str) -> "NeedsActivation":
    from zimun_sync.errors import ConfigError
    from zimun_sync.sinks import NeedsActivation
    from zimun_sync.wiring import build_sink

    refuse_unknown(settings, name)
    sink = build_sink(settings, name)
    if not isinstance(sink, NeedsActivation):
        raise ConfigError(
            f"Sink {name} needs no activation: it writes from the first sync on.",
            hint="`zimun-sync sinks list` shows those that do.",
        )
    return sink


def _is_active(store: "Store", name: str, sink: "NeedsActivation", *, json: bool) -> bool:
    """Whether there is nothing to activate; tells so."""
    from zimun_sync.pipeline.consent import lacks_consent

    activation = store.activations.of(name)
    if activation is None or lacks_consent(store, name, sink):
        return False
    since = activation.at.isoformat(timespec="seconds")
    if json:
        print_json({"sink": name, "activated": True, "activated_at": since})
    else:
        out().print(f"Sink {name} is active already, since {since}.")
    return True


def _announced(
    settings: "Config", store: "Store", name: str, sink: "NeedsActivation"
) -> "Announcement":
    from zimun_sync.model import APPOINTMENTS, from_micros
    from zimun_sync.pipeline.activating import announce

    streams = {source: [APPOINTMENTS.name] for source in settings.sources}
    now = from_micros(store.now())
    guard = settings.guards[name]
    return announce(store, name, sink, streams, now, settings.streams, guard=guard)
