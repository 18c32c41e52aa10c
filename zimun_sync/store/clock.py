"""Time as the store keeps it: microseconds since the epoch, UTC."""

from collections.abc import Callable
from datetime import UTC, datetime

from zimun_sync.model import to_micros

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's clock, aware UTC."""
    return datetime.now(UTC)


def micros(clock: Clock) -> int:
    """What the clock shows, in microseconds since the epoch."""
    return to_micros(clock())
