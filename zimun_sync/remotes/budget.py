"""The day's calls: counted, remembered, and held back once they are used up."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from zimun_sync.remotes.contract import NotSent
from zimun_sync.sinks import SinkContext


class Budget:
    """Counts calls against the day's (UTC) limit; remembers them a few at a time.

    Args:
        context: the sink's.
        most: calls a day; None for any number.
    """

    _EVERY: Final = 20

    def __init__(self, context: SinkContext, most: int | None) -> None:
        self._context = context
        self._most = most
        self._made = 0
        self._before: int | None = None
        self._day = context.now().astimezone(UTC).date()

    def called(self) -> None:
        """Count a call that is about to be made.

        Raises:
            NotSent: the day's calls are used up.
        """
        if self._most is None:
            return
        if self._made >= self._EVERY or self._before is None or self._is_over():
            self.flush()
        if (self._before or 0) + self._made >= self._most:
            raise NotSent(
                f"Today's calls (UTC) are used up (daily_calls: {self._most}).",
                retry_after=self._until_tomorrow(),
                hint="It goes on by itself tomorrow; raise daily_calls to go on now.",
            )
        self._made += 1

    def flush(self) -> None:
        """Remember the calls made so far."""
        if self._most is not None:
            self._before = self._context.memory.calls(self._day, self._made)
            self._made = 0
            if self._is_over():
                self._day = self._context.now().astimezone(UTC).date()
                self._before = self._context.memory.calls(self._day)

    def _is_over(self) -> bool:
        return self._context.now().astimezone(UTC).date() != self._day

    def _until_tomorrow(self) -> float:
        now = self._context.now().astimezone(UTC)
        midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
        return (midnight - now).total_seconds()
