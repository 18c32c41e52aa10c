"""How often a table is loaded into: warehouses take few large loads better than many small ones."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from zimun_sync.errors import SinkUnavailable
from zimun_sync.sinks import Batch

#: So many records are loaded at once, however soon after the last load.
WORTH_A_LOAD: Final = 5_000


@dataclass(slots=True)
class Pace:
    """When each table was loaded into last, by source and stream.

    Args:
        interval: seconds that are to lie between two loads.
    """

    interval: float
    _last: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def keep(self, batch: Batch, news: int, now: datetime) -> None:
        """Let a batch pass whose time has come.

        Args:
            batch: the batch.
            news: how many of its changes would be loaded.
            now: the engine's clock.

        Raises:
            SinkUnavailable: it is too soon after the last load into that table.
        """
        last = self._last.get((batch.source, batch.stream.name))
        if last is None or not 0 < news < WORTH_A_LOAD:
            return
        wait = (last + timedelta(seconds=self.interval) - now).total_seconds()
        if wait > 0:
            raise SinkUnavailable(
                f"It loads {batch.stream.name} at most every {self.interval:g} seconds, to spare "
                "the warehouse (min_interval).",
                retry_after=wait,
            )

    def loaded(self, batch: Batch, now: datetime) -> None:
        """The table was loaded into."""
        self._last[batch.source, batch.stream.name] = now
