"""`zimun-sync serve`."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from zimun_sync.cli.common import ConfigOption, load_config
from zimun_sync.collector import relax_collector

if TYPE_CHECKING:
    from zimun_sync.config import Config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    config: ConfigOption = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds to wait for a daemon that was killed on another host to be given up.",
        ),
    ] = 0.0,
) -> None:
    """Run the daemon: pull on schedule, take webhooks, keep every sink current.

    Ends on SIGTERM or SIGINT, and reads its configuration anew on SIGHUP.
    """
    from zimun_sync.config import load
    from zimun_sync.daemon import Daemon
    from zimun_sync.daemon.listeners import Listeners
    from zimun_sync.logs import LogListener

    settings = load_config(config)
    relax_collector()
    _log_as(settings)
    Daemon(settings, partial(load, config), Listeners(LogListener()), _log_as, wait=wait).run()


def _log_as(settings: "Config") -> None:
    """Log as a configuration wants it, and none of its secrets."""
    from zimun_sync.config import secrets_of
    from zimun_sync.logs import set_up

    set_up(settings.log.level, settings.log.format, secrets_of(settings))
