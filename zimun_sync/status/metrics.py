"""Prometheus metrics: what happened, counted as events come, and how things stand when asked."""

from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from zimun_sync.events import Event
from zimun_sync.status.counters import Counters
from zimun_sync.status.gauges import Gauges, Look

#: What a scraper is told that `render` gives it.
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


class Metrics:
    """Everything that /metrics shows; a listener of events, safe from any thread.

    Args:
        look: tells how things stand, each time the metrics are asked for.
        known: whether a source of that name is configured.
    """

    def __init__(self, look: Look, known: Callable[[str], bool]) -> None:
        # They would double the series, and nobody asks for them.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library is half typed
        self.registry = CollectorRegistry()
        self._counters = Counters(self.registry, known)
        self.registry.register(Gauges(look))
        ProcessCollector(registry=self.registry)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        self._counters(event)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
