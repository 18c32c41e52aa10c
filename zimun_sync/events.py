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
class ListingRepeated:
    """The listing is read once more, as pass number `passes`, because it may have moved.

    `found_late`: records that the pass before found and none before that one had.
    """

    source: str
    stream: str
    run_id: str
    passes: int
    found_late: int
    reason: str


@dataclass(frozen=True, slots=True)
class ListingUnsettled:
    """The last pass that a run may make still found `found_late` records that none before had."""

    source: str
    stream: str
    run_id: str
    passes: int
    found_late: int
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
    passes: int = 1
    found_late: int = 0


@dataclass(frozen=True, slots=True)
class Renormalized:
    """Stored content was normalized again because rules or places changed."""

    source: str
    stream: str
    changed: int


@dataclass(frozen=True, slots=True)
class FieldAppeared:
    """Records have a field that no column is made of, told once ever; it is part of `extra`.

    `suggested`: the type that a column of such values would have.
    """

    source: str
    stream: str
    field: str
    json_type: str
    suggested: str


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
    skipped: int = 0


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
class SinkNoticed:
    """A sink met something that a person may want to mend; told once a subject."""

    sink: str
    code: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class ConnectorFailed:
    """A connector raised something its contract does not know; `where` is file and line."""

    sink: str
    error: str
    where: str


@dataclass(frozen=True, slots=True)
class DeletionsHeld:
    """A listing missed so many records that a person has to approve deleting them."""

    source: str
    stream: str
    run_id: str
    missing: int
    reason: str


@dataclass(frozen=True, slots=True)
class DeletionsChecked:
    """Missing records were asked for by id: gone, still there, or left for the next run."""

    source: str
    stream: str
    run_id: str
    tombstoned: int
    present: int
    waiting: int


@dataclass(frozen=True, slots=True)
class EventsReceived:
    """Webhook events were committed to the inbox; `duplicates` had come before."""

    source: str
    received: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class WebhookRefused:
    """A webhook request was answered with an error; nothing of it was kept."""

    source: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class EventsApplied:
    """Events left the inbox: merged, to be fetched by id, or put into quarantine."""

    source: str
    events: int
    changed: int
    thin: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class RecordsFetched:
    """Records that thin events named were asked for by id."""

    source: str
    fetched: int
    gone: int
    changed: int


@dataclass(frozen=True, slots=True)
class FetchingDelayed:
    """Records that thin events name cannot be asked for now; again in `wait` seconds."""

    source: str
    wait: float
    reason: str


@dataclass(frozen=True, slots=True)
class PullStarted:
    """The daemon begins to pull a source; `cause`: nightly, reconcile, start, request, retry."""

    source: str
    cause: str


@dataclass(frozen=True, slots=True)
class PullFinished:
    """A source's pull ended: succeeded, partial, failed or interrupted."""

    source: str
    cause: str
    status: str
    records: int
    changed: int
    seconds: float
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class HookCalled:
    """A hook's call was answered well."""

    hook: str
    event: str
    attempts: int


@dataclass(frozen=True, slots=True)
class HookFailed:
    """A hook's call failed; `wait`: seconds to the next try, None when it was given up."""

    hook: str
    event: str
    attempts: int
    wait: float | None
    error: str


@dataclass(frozen=True, slots=True)
class TroubleBegan:
    """Something is wrong that was not before; `subject` such as `source main` or `disk`."""

    subject: str
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class TroubleEnded:
    """What was wrong with the subject is over, after `seconds`."""

    subject: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DaemonStarted:
    """The daemon works: where it listens, and for how many sources and sinks."""

    address: str
    admin_address: str
    sources: int
    sinks: int


@dataclass(frozen=True, slots=True)
class DaemonStopping:
    """The daemon was asked to end, or has to; work under way may take `seconds` more."""

    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """A changed configuration is in effect."""

    file: str


@dataclass(frozen=True, slots=True)
class ConfigRefused:
    """A changed configuration is wrong: the former one stays in effect."""

    file: str
    error: str
    hint: str


@dataclass(frozen=True, slots=True)
class StateUnavailable:
    """The state could not be read or written; the worker tries again in `wait` seconds."""

    worker: str
    wait: float
    error: str


@dataclass(frozen=True, slots=True)
class StateCleaned:
    """Rows past their retention were removed."""

    inbox: int
    runs: int
    history: int
    quarantine: int


Event = (
    RunStarted
    | PageStored
    | ListingRestarted
    | ListingRepeated
    | ListingUnsettled
    | DisputeSettled
    | RunFinished
    | Renormalized
    | FieldAppeared
    | NormalizerProcessEnded
    | RequestRetried
    | BatchDelivered
    | SinkWaiting
    | SinkParked
    | SinkNoticed
    | ConnectorFailed
    | DeletionsHeld
    | DeletionsChecked
    | EventsReceived
    | WebhookRefused
    | EventsApplied
    | RecordsFetched
    | FetchingDelayed
    | PullStarted
    | PullFinished
    | HookCalled
    | HookFailed
    | TroubleBegan
    | TroubleEnded
    | DaemonStarted
    | DaemonStopping
    | ConfigReloaded
    | ConfigRefused
    | StateUnavailable
    | StateCleaned
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
