"""Whether a person has agreed to what a sink will write, where that is asked for."""

from datetime import UTC, date, datetime, time
from typing import Final

from zimun_sync.ids import Activation
from zimun_sync.sinks import NeedsActivation, Sink, StartFrom
from zimun_sync.store import Store

_NEVER: Final = "It writes nothing until it is activated."
_WIDER: Final = (
    "Its start_from now takes in more appointments than were agreed to: it writes nothing until "
    "it is activated again."
)
_HINT: Final = "`zimun-sync sinks activate {sink}` shows what it would write, and asks."


def lacks_consent(store: Store, name: str, sink: Sink) -> str | None:
    """Why a sink may not write until somebody activates it; None if it may."""
    if not isinstance(sink, NeedsActivation):
        return None
    activation = store.activations.of(name)
    if activation is None:
        return _NEVER
    return None if _covers(activation, sink.start_from) else _WIDER


def _covers(activation: Activation, start_from: StartFrom) -> bool:
    """Whether a consent holds for what is configured now: it may begin later, not earlier."""
    agreed, wanted = activation.starts_from, starting_from(start_from, activation.at)
    return agreed is None or start_from == "now" or (wanted is not None and wanted >= agreed)


def inactive_hint(name: str) -> str:
    """What to do about a sink that is not active."""
    return _HINT.format(sink=name)


def starting_from(start_from: StartFrom, now: datetime) -> datetime | None:
    """The moment from which on appointments are sent, aware UTC; None for all of them.

    Args:
        start_from: as configured; a day begins at midnight UTC.
        now: the moment of activation, aware.
    """
    match start_from:
        case "all":
            return None
        case "now":
            return now
        case datetime():
            return start_from if start_from.tzinfo else start_from.replace(tzinfo=UTC)
        case date():
            return datetime.combine(start_from, time(), UTC)
