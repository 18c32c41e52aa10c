"""Which of many keys were met, in eight bytes a key."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

_WORD: Final = (1 << 64) - 1


class Marks:
    """Hashes of keys. Two keys in a million share one once in ten million times."""

    def __init__(self) -> None:
        self._met = array("Q")
        self._is_sorted = True

    def add(self, keys: Iterable[str]) -> None:
        """Take note of these keys."""
        self._met.extend([hash(key) & _WORD for key in keys])
        self._is_sorted = False

    def __contains__(self, key: str) -> bool:
        if not self._is_sorted:
            self._met = array("Q", sorted(self._met))
            self._is_sorted = True
        mark = hash(key) & _WORD
        at = bisect_left(self._met, mark)
        return at < len(self._met) and self._met[at] == mark
