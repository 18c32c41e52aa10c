"""Silence on demand: when the server names a time, no thread sends anything before it."""

from threading import Lock

from zimun_sync.errors import SourceUnavailable
from zimun_sync.zimun.timing import Timing


class Gate:
    """Holds back every request, of whatever thread, until the time the server named."""

    def __init__(self, timing: Timing, longest: float) -> None:
        self._timing = timing
        self._longest = longest
        self._lock = Lock()
        self._until = float("-inf")

    def close_for(self, seconds: float) -> None:
        """Let nothing through for so many seconds from now; never shortens a longer time."""
        with self._lock:
            self._until = max(self._until, self._timing.monotonic() + seconds)

    def enter(self, name: str) -> None:
        """Wait until requests may be sent.

        Raises:
            SourceUnavailable: it would take longer than a call may wait, or `stop` was set.
        """
        while (left := self._left()) > 0:
            if left > self._longest:
                raise SourceUnavailable(
                    f"{name} was not sent: the Zimun API asked for silence for another "
                    f"{left:.0f} seconds.",
                    retry_after=left,
                    hint="Try again after that time.",
                )
            self._timing.wait(left)

    def _left(self) -> float:
        with self._lock:
            return self._until - self._timing.monotonic()
