"""What a sink's system holds: it outlives every process, and notices what must not happen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from zimun_sync.sinks import Change

Place = tuple[str, str]


class Seen(NamedTuple):
    """The latest change of a record that was written."""

    seq: int
    hash: str


@dataclass(slots=True)
class Held:
    """A remote system.

    Args:
        name: the sink's.
        violated: told of what must not happen.
        deleted: told of the key of each appointment that is deleted.

    Attributes:
        rows: what it holds, by stream and key.
        seen: the latest change of each record.
        writes: batches that it was given.
        opens: how often a process came to it.
        owner: the process that has it open; like a file's lock, it ends with the process.
        version: of the sink's settings.
        refused: keys that it refuses for now.
        away: whether it cannot be reached.
        top: the greatest sequence it was ever given.
        taken: changes that it took so far.
        batch_began_at: how many those were when the latest batch began.
        again_after: everything has to be taken again that was taken before so many changes.
    """

    name: str
    violated: Callable[[str], None]
    deleted: Callable[[str], None]
    rows: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    seen: dict[Place, Seen] = field(default_factory=dict)
    writes: int = 0
    opens: int = 0
    owner: object | None = None
    version: int = 1
    refused: set[str] = field(default_factory=set)
    away: bool = False
    top: int = 0
    taken: int = 0
    batch_began_at: int = 0
    again_after: int = 0
    _latest: dict[Place, int] = field(default_factory=dict)

    def replayed(self, taken: int) -> None:
        """Everything has to be taken again, but for the batch that may be under way.

        A batch that begins at the very beginning says nothing of a replay asked for meanwhile.

        Args:
            taken: how many changes had been taken when the batch before the replay began.
        """
        self.again_after = max(self.again_after, taken)

    def take(self, stream: str, change: Change) -> bool:
        """Hold a change; tells whether that altered anything."""
        place = stream, change.key
        self._notice(place, change)
        if change.row is None and stream == "appointments":
            self.deleted(change.key)
        before = self.rows.get(place)
        self.taken += 1
        self._latest[place] = self.taken
        self.seen[place] = Seen(change.seq, change.hash)
        self.top = max(self.top, change.seq)
        if change.row is None:
            self.rows.pop(place, None)
        else:
            self.rows[place] = change.row
        return before != change.row

    def _notice(self, place: Place, change: Change) -> None:
        known = self.seen.get(place, Seen(0, ""))
        if change.seq < known.seq:
            self.violated(f"{self.name}: {place} went back from {known.seq} to {change.seq}")
        if change.seq == known.seq and change.hash != known.hash:
            self.violated(f"{self.name}: {place} came with another content at {change.seq}")

    def not_again(self) -> list[Place]:
        """Rows that should have been taken again, and were not."""
        return [each for each in self.rows if self._latest[each] <= self.again_after]

    def of(self, stream: str) -> dict[str, Mapping[str, Any]]:
        """Rows of a stream by key."""
        return {key: row for (name, key), row in self.rows.items() if name == stream}
