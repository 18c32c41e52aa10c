"""Who and what is taken when."""

from bisect import bisect_left, insort
from collections import defaultdict
from typing import NamedTuple


class Interval(NamedTuple):
    """A stretch of time, epoch seconds, `end` excluded, and whose booking or hold it is."""

    start: int
    end: int
    owner: str


class Busy:
    """The taken intervals of staff members and resources, by their identifiers."""

    def __init__(self) -> None:
        self._intervals: defaultdict[str, list[Interval]] = defaultdict(list)
        self._longest = 0

    def add(self, subjects: tuple[str, ...], interval: Interval) -> None:
        """Takes an interval; whether it is free is for the caller to ask first."""
        self._longest = max(self._longest, interval.end - interval.start)
        for subject in subjects:
            insort(self._intervals[subject], interval)

    def remove(self, subjects: tuple[str, ...], owner: str) -> None:
        """Frees what an owner has taken of these subjects."""
        for subject in subjects:
            intervals = self._intervals[subject]
            intervals[:] = [interval for interval in intervals if interval.owner != owner]

    def clashes(self, subjects: tuple[str, ...], wanted: Interval) -> bool:
        """Whether somebody other than the owner of `wanted` has taken a part of it."""
        return any(self._clashes(subject, wanted) for subject in subjects)

    def _clashes(self, subject: str, wanted: Interval) -> bool:
        intervals = self._intervals.get(subject, [])
        position = bisect_left(intervals, (wanted.start - self._longest,))
        for taken in intervals[position:]:
            if taken.start >= wanted.end:
                return False
            if taken.end > wanted.start and taken.owner != wanted.owner:
                return True
        return False
