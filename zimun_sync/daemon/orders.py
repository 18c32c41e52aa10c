"""What the daemon's main thread can be told to do."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Event
from types import FrameType
from typing import Final

from zimun_sync.errors import ZimunSyncError


@dataclass(frozen=True, slots=True)
class Stop:
    """End: work under way may come to its own end first."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Something ended that never should: so does the daemon."""

    error: BaseException


@dataclass(slots=True)
class Reload:
    """Put the configuration into effect as it is now.

    Args:
        only_secrets: leave it if nothing but the files of secrets could have changed, and they
            did not.
        done: set when it was tried.
        refused: why it was not put into effect.
    """

    only_secrets: bool = False
    done: Event = field(default_factory=Event)
    refused: ZimunSyncError | None = None


Order = Stop | Failed | Reload
Orders = SimpleQueue[Order]

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def signals(orders: Orders) -> Iterator[None]:
    """SIGTERM and SIGINT end the daemon, SIGHUP reloads; a second SIGINT ends it at once."""

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        orders.put(Stop(signal.Signals(number).name))

    def reload(_number: int, _frame: FrameType | None) -> None:
        orders.put(Reload())

    before = {number: signal.signal(number, end) for number in _ENDING}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, reload)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
