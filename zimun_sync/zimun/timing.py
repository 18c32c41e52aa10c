"""Time as the client sees it: injected clocks, and the server's clock inferred from answers."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, Lock

from msgspec import Struct

from zimun_sync.errors import SourceUnavailable
from zimun_sync.network.headers import http_date

#: RFC 9110 dates count whole seconds: the true time lies less than this after them.
DATE_RESOLUTION = 1.0


class Timing(Struct, frozen=True):
    """Where the client takes time and chance from; tests and simulations give their own.

    Args:
        clock: seconds since the epoch, as `time.time`.
        monotonic: seconds that never go back, as `time.monotonic`.
        random: a number in [0, 1), as `random.random`.
        sleep: waits the given seconds; None waits in a way that `stop` interrupts.
        stop: set to end every wait at once, such as on SIGTERM.
    """

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    sleep: Callable[[float], object] | None = None
    stop: Event | None = None

    def wait(self, seconds: float) -> None:
        """Wait, or raise SourceUnavailable as soon as `stop` is set."""
        stop = self.stop or Event()
        if not stop.is_set() and seconds > 0:
            (self.sleep or stop.wait)(seconds)
        if stop.is_set():
            raise SourceUnavailable(
                "Stopped while waiting to repeat a call to the Zimun API.",
                hint="Start it again; it goes on where it stopped.",
            )


class ServerClock:
    """Our clock, corrected by the `Date` headers of the answers.

    Each answer proves that the server's clock is ahead of ours by at least `date - received`
    and by less than `date + 1 - sent`. The bounds narrow from answer to answer; the correction
    is the smallest that they admit, so a clock that may be right is left alone, and one that is
    off is brought to within a second and the time an answer takes.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._least, self._most = float("-inf"), float("inf")

    def observe(self, date: str | None, *, sent: float, received: float) -> None:
        """Learn from one answer; `sent` and `received` are seconds since the epoch by our clock."""
        server = http_date(date)
        if server is None:
            return
        least, most = server - received, server + DATE_RESOLUTION - sent
        with self._lock:
            narrower = max(least, self._least), min(most, self._most)
            # Bounds that exclude each other mean that a clock was set: believe the latest.
            self._least, self._most = narrower if narrower[0] <= narrower[1] else (least, most)

    @property
    def correction(self) -> float:
        """Seconds to add to our clock."""
        with self._lock:
            return max(self._least, min(0.0, self._most))

    def instant(self, ours: float) -> datetime:
        """The aware UTC time of `ours`, seconds since the epoch by our clock."""
        return datetime.fromtimestamp(ours + self.correction, UTC)
