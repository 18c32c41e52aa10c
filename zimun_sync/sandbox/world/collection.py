"""An ordered list of records that are already encoded as JSON.

A page is a slice joined by commas, so that listing a million records costs next to nothing.
"""

from array import array
from dataclasses import dataclass

#: The content of a position whose record was deleted; a record is never empty.
_HOLE = b""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a collection.

    Args:
        items: the encoded records.
        next: position of the record after them, or None at the end.
    """

    items: list[bytes]
    next: int | None


class Collection:
    """Encoded records in listing order, found by identifier too.

    An identifier that comes twice is found at its last position. A deleted record leaves a
    hole, so that positions handed out as page tokens keep their meaning.
    """

    def __init__(self) -> None:
        self._items: list[bytes] = []
        self._updated = array("q")
        self._positions: dict[str, int] = {}
        self._holes = 0

    def __len__(self) -> int:
        return len(self._items) - self._holes

    @property
    def end(self) -> int:
        """The position after the last one."""
        return len(self._items)

    def append(self, key: str | None, item: bytes, updated: int) -> None:
        """Adds a record at the end.

        Args:
            key: the identifier, or None for a record that has none.
            item: the record as JSON.
            updated: its `updated_at` in microseconds since the epoch, UTC.
        """
        if key is not None:
            self._positions[key] = len(self._items)
        self._items.append(item)
        self._updated.append(updated)

    def put(self, key: str, item: bytes, updated: int) -> None:
        """Replaces a record in its place, or adds it at the end."""
        position = self._positions.get(key)
        if position is None:
            self.append(key, item, updated)
            return
        self._items[position] = item
        self._updated[position] = updated

    def get(self, key: str) -> bytes | None:
        """The record with this identifier."""
        position = self._positions.get(key)
        return None if position is None else self._items[position]

    def remove(self, key: str) -> bool:
        """Deletes a record; False when there is none."""
        position = self._positions.pop(key, None)
        if position is None:
            return False
        self._items[position] = _HOLE
        self._holes += 1
        return True

    def window(self, start: int, size: int, *, since: int | None = None) -> Window:
        """Up to `size` records from position `start` on.

        Args:
            start: the first position to look at.
            size: the greatest number of records.
            since: leave out records last changed before this (microseconds since the epoch).
        """
        if since is None and not self._holes:
            end = start + size
            return Window(self._items[start:end], end if end < len(self._items) else None)
        return self._sparse_window(start, size, since)

    def _sparse_window(self, start: int, size: int, since: int | None) -> Window:
        items: list[bytes] = []
        for position in range(start, len(self._items)):
            item = self._items[position]
            if not item or (since is not None and self._updated[position] < since):
                continue
            if len(items) == size:
                return Window(items, position)
            items.append(item)
        return Window(items, None)

    def swap(self, first: int, second: int) -> None:
        """Lets two positions change places, as a listing with an unstable order does."""
        items, updated = self._items, self._updated
        items[first], items[second] = items[second], items[first]
        updated[first], updated[second] = updated[second], updated[first]
        moves = {first: second, second: first}
        for key, position in self._positions.items():
            if position in moves:
                self._positions[key] = moves[position]

    def identified(self) -> list[bytes]:
        """The records that `get` finds, as they are now; later changes do not show."""
        return [self._items[position] for position in list(self._positions.values())]

    @property
    def unidentified(self) -> int:
        """How many listed records `get` does not find: no identifier, or a later twin."""
        return len(self) - len(self._positions)
