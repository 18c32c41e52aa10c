"""What the sandbox was asked: counters for tests and benchmarks."""

from collections import Counter, defaultdict
from threading import Lock
from typing import Any

from zimun_sync.sandbox.api.paging import Cursor


class Observed:
    """Counts requests, pages and patience."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._requests: Counter[str] = Counter()
            self._statuses: Counter[str] = Counter()
            self._pages: defaultdict[str, Counter[int]] = defaultdict(Counter)
            self._not_before: dict[str, float] = {}
            self._too_early = 0

    def request(self, target: str, now: float) -> None:
        """Counts a request; one before the end of an ordered wait counts as too early."""
        with self._lock:
            self._requests[target] += 1
            self._too_early += now < self._not_before.pop(target, 0.0)

    def answer(self, status: int) -> None:
        """Counts an answer."""
        with self._lock:
            self._statuses[str(status)] += 1

    def page(self, cursor: Cursor) -> None:
        """Counts a page that was served whole."""
        with self._lock:
            self._pages[cursor.stream][cursor.start] += 1

    def asked_to_wait(self, target: str, until: float) -> None:
        """Notes that requests to `target` before `until` (epoch seconds) are too early."""
        with self._lock:
            self._not_before[target] = until

    def report(self) -> dict[str, Any]:
        """All counters as JSON can hold them.

        `requests` by target, `statuses` of answers, `pages` served by stream and position of
        their first record, `refetched`: how many of those were served more than once, counted
        each further time, and requests that came `too_early` after a `Retry-After`.
        """
        with self._lock:
            return self._report()

    def _report(self) -> dict[str, Any]:
        return {
            "requests": dict(self._requests),
            "statuses": dict(self._statuses),
            "pages": {
                stream: {str(start): count for start, count in sorted(pages.items())}
                for stream, pages in self._pages.items()
            },
            "refetched": {
                stream: pages.total() - len(pages) for stream, pages in self._pages.items()
            },
            "too_early": self._too_early,
        }
