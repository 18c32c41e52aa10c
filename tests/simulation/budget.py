"""What a kill may cost: at most two pages of a listing are fetched again."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from zimun_sync.pipeline.ahead import IN_FLIGHT

#: After so many seconds a listing begins anew; a little less than the code says.
_FORGOTTEN: Final = 5.5 * 3_600

#: A stream, and whether only what changed is listed: neither kind goes on with the other.
Listing = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Listed:
    """The page of a listing that was served last.

    Args:
        depth: pages before it.
        complete: whether it is the last one.
        back: whether it followed the one behind it: the pages are read again, backward.
    """

    depth: int
    complete: bool
    back: bool

    def is_followed_back(self, depth: int) -> bool:
        """Whether a page that has so many before it is the next of a pass backward."""
        return depth == self.depth - 1 and (self.complete or self.back)

    def excess(self, depth: int) -> int:
        """Pages more than a kill may cost, if one is asked for next that has so many before."""
        if not self.back:
            return max(0, self.depth + 1 - IN_FLIGHT - depth)
        return max(0, depth - (self.depth - 1 + IN_FLIGHT), self.depth - 1 - depth)


@dataclass(slots=True)
class Budget:
    """Counts the pages of listings, on the server's side.

    Attributes:
        owed: where a kill left each listing that nobody has gone on with yet.
    """

    owed: dict[Listing, Listed] = field(default_factory=dict)
    _listed: dict[Listing, Listed] = field(default_factory=dict)
    _killed_at: float = 0.0

    def served(self, listing: Listing, depth: int, *, complete: bool) -> None:
        """A page was answered that has so many before it."""
        before = self._listed.get(listing)
        back = before is not None and before.is_followed_back(depth)
        self._listed[listing] = Listed(depth, complete, back)

    def killed(self, now: float, unfinished: Collection[str]) -> None:
        """The process that listed is gone.

        Args:
            now: seconds since the epoch.
            unfinished: streams whose run has not come to its end; a pass backward may end early.
        """
        self._killed_at = now
        for listing, listed in self._listed.items():
            if not listed.complete and listing[0] in unfinished:
                self.owed.setdefault(listing, listed)

    def forget(self) -> None:
        """Whatever comes next may begin anew."""
        self.owed.clear()
        self._listed.clear()

    def excess(self, listing: Listing, depth: int, now: float) -> int:
        """Pages more than a kill may cost, now that a page is asked for that has so many before."""
        owed = self.owed.pop(listing, None)
        if owed is None or now - self._killed_at > _FORGOTTEN:
            return 0
        return owed.excess(depth)
