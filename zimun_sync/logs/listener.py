"""Events as log lines, each at its level."""

import logging
import re
from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Any, Final

import structlog
from msgspec.structs import asdict

from zimun_sync import events as ev
from zimun_sync.events import Event

_REFUSALS_A_MINUTE: Final = 10
_MINUTE: Final = 60.0
#: Told for each page, record or commit; a night of them would fill a disk at INFO.
_DETAILS: Final = (
    ev.PageStored,
    ev.DisputeSettled,
    ev.EventsReceived,
    ev.EventsApplied,
    ev.RecordsFetched,
    ev.HookCalled,
)
_WARNINGS: Final = (
    ev.ListingRestarted,
    ev.ListingUnsettled,
    ev.NormalizerProcessEnded,
    ev.RequestRetried,
    ev.SinkWaiting,
    ev.SinkNoticed,
    ev.DeletionsHeld,
    ev.WebhookRefused,
    ev.FetchingDelayed,
)
_ERRORS: Final = (
    ev.SinkParked,
    ev.ConnectorFailed,
    ev.TroubleBegan,
    ev.ConfigRefused,
    ev.StateUnavailable,
)


class LogListener:
    """Logs every event under its name in snake case.

    Whoever can reach the webhooks' port can have requests refused: of those only a few a minute
    are told, the next one with how many were left out.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._logger = structlog.get_logger()
        self._clock = clock
        self._lock = Lock()
        self._told: deque[float] = deque(maxlen=_REFUSALS_A_MINUTE)
        self._left_out = 0

    def __call__(self, event: Event) -> None:
        """Log one event."""
        fields = _fields(event)
        if isinstance(event, ev.WebhookRefused):
            left_out = self._admit()
            if left_out is None:
                return
            fields |= {"left_out": left_out} if left_out else {}
        self._logger.log(level_of(event), _name(event), **fields)

    def _admit(self) -> int | None:
        """How many refusals were left out before this one; None if it is left out too."""
        now = self._clock()
        with self._lock:
            if len(self._told) == _REFUSALS_A_MINUTE and now - self._told[0] < _MINUTE:
                self._left_out += 1
                return None
            self._told.append(now)
            left_out, self._left_out = self._left_out, 0
        return left_out


def level_of(event: Event) -> int:
    """How important an event is, as `logging` counts."""
    if isinstance(event, ev.RunFinished | ev.PullFinished | ev.HookFailed):
        return _level_of_outcome(event)
    if isinstance(event, _ERRORS):
        return logging.ERROR
    if isinstance(event, _WARNINGS):
        return logging.WARNING
    return logging.DEBUG if isinstance(event, _DETAILS) else logging.INFO


def _level_of_outcome(event: ev.RunFinished | ev.PullFinished | ev.HookFailed) -> int:
    match event:
        case ev.HookFailed():
            return logging.ERROR if event.wait is None else logging.WARNING
        case ev.RunFinished(status="failed") | ev.PullFinished(status="failed"):
            return logging.ERROR
        case ev.RunFinished(status="needs_attention") | ev.PullFinished(status="partial"):
            return logging.WARNING
    return logging.INFO


def _name(event: Event) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def _fields(event: Event) -> dict[str, Any]:
    """The event's fields; `event` names the line, so a hook's own is told as `told`."""
    fields = {name: value for name, value in asdict(event).items() if value != ""}
    if "event" in fields:
        fields["told"] = fields.pop("event")
    return fields
