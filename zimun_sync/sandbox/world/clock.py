"""The sandbox's clock: real time plus whatever was ordered through `/_sandbox/clock`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

#: Reads the time as an aware UTC datetime.
Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's time, aware, UTC."""
    return datetime.now(UTC)


class Clock:
    """A clock that can be moved forward, so that holds and tokens expire on demand.

    Args:
        base: the clock underneath; a simulation gives its own.
    """

    def __init__(self, base: Now = utc_now) -> None:
        self._base = base
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The sandbox's time, aware, UTC."""
        return self._base() + self._ahead

    def advance(self, seconds: float) -> datetime:
        """Moves the clock by `seconds` (negative: back) and returns the new time."""
        self._ahead += timedelta(seconds=seconds)
        return self.now()

    def http_date(self, *, ahead: float = 0.0) -> str:
        """The time `ahead` seconds from now as an HTTP date (RFC 9110, 5.6.7)."""
        return format_datetime(self.now() + timedelta(seconds=ahead), usegmt=True)
