"""What a kill may cost: at most two pages of a listing are fetched again."""

from dataclasses import dataclass, field
from typing import Final

from zimun_sync.pipeline.ahead import IN_FLIGHT

#: After so many seconds a listing begins anew; a little less than the code says.
_FORGOTTEN: Final = 5.5 * 3_600


@dataclass(slots=True)
class Listed:
    """A listing under way: pages served since its first, and whether the last one was."""

    served: int
    complete: bool


@dataclass(slots=True)
class Budget:
    """Counts the pages of listings, on the server's side.

    Attributes:
        owed: pages that the next request of a stream may not go back behind, by stream.
    """

    owed: dict[str, int] = field(default_factory=dict)
    _listed: dict[str, Listed] = field(default_factory=dict)
    _killed_at: float = 0.0

    def served(self, stream: str, depth: int, *, complete: bool) -> None:
        """A page was answered that has so many before it."""
        self._listed[stream] = Listed(depth + 1, complete)

    def killed(self, now: float) -> None:
        """The process that listed is gone."""
        self._killed_at = now
        for stream, listed in self._listed.items():
            if not listed.complete:
                self.owed.setdefault(stream, max(0, listed.served - IN_FLIGHT))

    def forget(self) -> None:
        """Whatever comes next may begin anew."""
        self.owed.clear()
        self._listed.clear()

    def excess(self, stream: str, depth: int, now: float) -> int:
        """Pages more than a kill may cost, now that a page is asked for that has so many before."""
        owed = self.owed.pop(stream, 0)
        return 0 if now - self._killed_at > _FORGOTTEN else max(0, owed - depth)
