"""What happened, for logs, metrics and progress displays: one stream, any number of listeners.

Events carry names, counts and reasons; never a record's content.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A listing begins, or is taken up at its checkpoint (`resumed`, after `pages` pages)."""

    source: str
    stream: str
    run_id: str
    resumed: bool
    pages: int


@dataclass(frozen=True, slots=True)
class PageStored:
    """A page and its checkpoint are committed; counts are the run's so far."""

    source: str
    stream: str
    run_id: str
    pages: int
    records: int
    changed: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class ListingRestarted:
    """The listing begins again at its first page."""

    source: str
    stream: str
    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class DisputeSettled:
    """A listing contradicted the store; the API was asked by id and its answer now stands."""

    source: str
    stream: str
    run_id: str
    key: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run ended; `status` as in `RunStatus`."""

    source: str
    stream: str
    run_id: str
    status: str
    pages: int
    records: int
    changed: int
    quarantined: int
    error: str
    hint: str


@dataclass(frozen=True, slots=True)
class Renormalized:
    """Stored content was normalized again because rules or places changed."""

    source: str
    stream: str
    changed: int


@dataclass(frozen=True, slots=True)
class NormalizerProcessEnded:
    """The process that normalized a long listing was killed; the work goes on without it."""

    stream: str


@dataclass(frozen=True, slots=True)
class RequestRetried:
    """A request to the API is tried again after `wait` seconds."""

    source: str
    path: str
    attempt: int
    wait: float
    reason: str


@dataclass(frozen=True, slots=True)
class BatchDelivered:
    """A sink took a batch; `lag` is a bound on the changes still waiting for it."""

    sink: str
    source: str
    stream: str
    applied: int
    unchanged: int
    rejected: int
    lag: int


@dataclass(frozen=True, slots=True)
class SinkWaiting:
    """A sink cannot take batches now; the next attempt is in `wait` seconds."""

    sink: str
    wait: float
    reason: str


@dataclass(frozen=True, slots=True)
class SinkParked:
    """A sink gets nothing more until someone acts."""

    sink: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class ConnectorFailed:
    """A connector raised something its contract does not know; `where` is file and line."""

    sink: str
    error: str
    where: str


Event = (
    RunStarted
    | PageStored
    | ListingRestarted
    | DisputeSettled
    | RunFinished
    | Renormalized
    | NormalizerProcessEnded
    | RequestRetried
    | BatchDelivered
    | SinkWaiting
    | SinkParked
    | ConnectorFailed
)

Emit = Callable[[Event], None]


class Listener(Protocol):
    """Takes events as they happen, from any thread; must be quick and must not raise."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        ...


def to_all(*listeners: Listener) -> Emit:
    """One `emit` that tells every listener."""

    def emit(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return emit
