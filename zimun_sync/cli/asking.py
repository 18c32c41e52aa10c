"""Asking the running daemon for something, through the state it shares with this command."""

from collections.abc import Mapping
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import typer

from zimun_sync.errors import StoreError, ZimunSyncError

if TYPE_CHECKING:
    from zimun_sync.store import Store

_LOOK_SECONDS: Final = 0.2
#: The lease that the daemon holds as long as it lives.
_DAEMON: Final = "daemon"


def daemon_runs(store: "Store") -> bool:
    """Whether a living daemon works on this state."""
    return store.leases.holder(_DAEMON) is not None


def ask(
    store: "Store", kind: str, arguments: Mapping[str, Any], stop: Event | None = None
) -> Mapping[str, Any]:
    """Have the daemon do something, and wait until it is done.

    Args:
        store: the state it works on.
        kind: what to do.
        arguments: with what, as JSON values.
        stop: set to wait no longer.

    Raises:
        Interrupted: `stop` was set; what was asked for may still be done.
        ZimunSyncError: what the daemon says went wrong.
        StoreError: it ended before it answered.
    """
    from zimun_sync.pipeline.listings import Interrupted

    typer.echo(f"The daemon does it: {store.leases.holder(_DAEMON)}.", err=True)
    stop = stop or Event()
    number = store.requests.add(kind, arguments)
    while (outcome := store.requests.outcome(number)) is None:
        if not daemon_runs(store):
            raise StoreError(
                "The daemon ended before it answered.",
                hint="Start it again, or ask again: without a daemon the command does it itself.",
            )
        if stop.wait(_LOOK_SECONDS):
            raise Interrupted
    error = outcome.get("error")
    if error is not None:
        raise ZimunSyncError(error["message"], hint=error["hint"])
    return outcome
