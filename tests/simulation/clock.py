"""Two clocks that only move when told, and a little with each look: the server's and ours."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

#: 2026-11-20T02:30:00Z.
BEGINNING: Final = 1_795_141_800.0
_LOOK: Final = 0.0005


@dataclass(slots=True)
class SimClock:
    """The time of the simulated world.

    Args:
        true: the server's time, seconds since the epoch.
        skew: seconds that our clock is ahead of it.
    """

    true: float = BEGINNING
    skew: float = 0.0

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.true += max(seconds, 0.0)

    def ours(self) -> float:
        """Our clock, seconds since the epoch; looking takes a moment."""
        self.true += _LOOK
        return self.true + self.skew

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self.true

    def now(self) -> datetime:
        """Our clock, aware UTC."""
        return datetime.fromtimestamp(self.ours(), UTC)

    def server_now(self) -> datetime:
        """The server's clock, aware UTC."""
        return datetime.fromtimestamp(self.true, UTC)
