"""Events as structured log lines on standard error."""

import logging
import re
import sys
from dataclasses import asdict
from typing import Any

import structlog

from zimun_sync.events import (
    BatchDelivered,
    ConnectorFailed,
    Event,
    ListingRestarted,
    NormalizerProcessEnded,
    PageStored,
    RequestRetried,
    RunFinished,
    SinkParked,
    SinkWaiting,
)

_WARNINGS = (ListingRestarted, NormalizerProcessEnded, RequestRetried, SinkWaiting)
_ERRORS = (SinkParked, ConnectorFailed)
#: Told for each page or batch; a nightly run would fill a disk with them at INFO.
_DETAILS = (PageStored, BatchDelivered)


def set_up(level: str, style: str) -> None:
    """Send log lines to standard error.

    Args:
        level: debug, info, warning or error.
        style: `json`, or `console` and `auto` for `key=value` lines.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


class LogListener:
    """Logs every event under its name in snake case."""

    def __init__(self) -> None:
        self._logger = structlog.get_logger()

    def __call__(self, event: Event) -> None:
        """Log one event."""
        self._logger.log(_level(event), _name(event), **_fields(event))


def _level(event: Event) -> int:
    if isinstance(event, _ERRORS) or (isinstance(event, RunFinished) and event.error):
        return logging.ERROR
    if isinstance(event, _WARNINGS):
        return logging.WARNING
    return logging.DEBUG if isinstance(event, _DETAILS) else logging.INFO


def _name(event: Event) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def _fields(event: Event) -> dict[str, Any]:
    return {name: value for name, value in asdict(event).items() if value != ""}
