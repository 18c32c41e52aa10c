"""What happened, for logs, metrics and progress displays: one stream, any number of listeners.

Events carry names, counts and reasons; never a record's content. They are structs of msgspec:
dataclasses take ten times as long to make, at the start of every command.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec


class RunStarted(msgspec.Struct, frozen=True):
    """A listing begins, or is taken up at its checkpoint (`resumed`, after `pages` pages)."""

    source: str
    stream: str
    run_id: str
    resumed: bool
    pages: int


class PageStored(msgspec.Struct, frozen=True):
    """A page and its checkpoint are committed; counts are the run's so far."""

    source: str
    stream: str
    run_id: str
    pages: int
    records: int
    changed: int
    quarantined: int


class ListingRestarted(msgspec.Struct, frozen=True):
    """The listing begins again at its first page."""

    source: str
    stream: str
    run_id: str
    reason: str


class ListingRepeated(msgspec.Struct, frozen=True):
    """The listing is read once more, as pass number `passes`, because it may have moved.

    `found_late`: records that the pass before found and none before that one had.
    """

    source: str
    stream: str
    run_id: str
    passes: int
    found_late: int
    reason: str


class ListingUnsettled(msgspec.Struct, frozen=True):
    """The last pass that a run may make still found `found_late` records that none before had."""

    source: str
    stream: str
    run_id: str
    passes: int
    found_late: int
    reason: str


class DisputeSettled(msgspec.Struct, frozen=True):
    """A listing contradicted the store; the API was asked by id and its answer now stands."""

    source: str
    stream: str
    run_id: str
    key: str


class RunFinished(msgspec.Struct, frozen=True):
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


class Renormalized(msgspec.Struct, frozen=True):
    """Stored content was normalized again because rules or places changed."""

    source: str
    stream: str
    changed: int


class FieldAppeared(msgspec.Struct, frozen=True):
    """Records have a field that no column is made of, told once ever; it is part of `extra`.

    `suggested`: the type that a column of such values would have.
    """

    source: str
    stream: str
    field: str
    json_type: str
    suggested: str


class NormalizerProcessEnded(msgspec.Struct, frozen=True):
    """The process that normalized a long listing was killed; the work goes on without it."""

    stream: str


class RequestRetried(msgspec.Struct, frozen=True):
    """A request to the API is tried again after `wait` seconds."""

    source: str
    path: str
    attempt: int
    wait: float
    reason: str


class BatchDelivered(msgspec.Struct, frozen=True):
    """A sink took a batch; `lag` is a bound on the changes still waiting for it."""

    sink: str
    source: str
    stream: str
    applied: int
    unchanged: int
    rejected: int
    lag: int
    skipped: int = 0


class SinkWaiting(msgspec.Struct, frozen=True):
    """A sink cannot take batches now; the next attempt is in `wait` seconds."""

    sink: str
    wait: float
    reason: str


class SinkParked(msgspec.Struct, frozen=True):
    """A sink gets nothing more until someone acts."""

    sink: str
    reason: str
    hint: str


class SinkNoticed(msgspec.Struct, frozen=True):
    """A sink met something that a person may want to mend; told once a subject."""

    sink: str
    code: str
    subject: str
    message: str


class ConnectorFailed(msgspec.Struct, frozen=True):
    """A connector raised something its contract does not know; `where` is file and line."""

    sink: str
    error: str
    where: str


class DeletionsHeld(msgspec.Struct, frozen=True):
    """A listing missed so many records that a person has to approve deleting them."""

    source: str
    stream: str
    run_id: str
    missing: int
    reason: str


class DeletionsChecked(msgspec.Struct, frozen=True):
    """Missing records were asked for by id: gone, still there, or left for the next run."""

    source: str
    stream: str
    run_id: str
    tombstoned: int
    present: int
    waiting: int


class EventsReceived(msgspec.Struct, frozen=True):
    """Webhook events were committed to the inbox; `duplicates` had come before."""

    source: str
    received: int
    duplicates: int


class WebhookRefused(msgspec.Struct, frozen=True):
    """A webhook request was answered with an error; nothing of it was kept."""

    source: str
    status: int
    reason: str


class EventsApplied(msgspec.Struct, frozen=True):
    """Events left the inbox: merged, to be fetched by id, or put into quarantine."""

    source: str
    events: int
    changed: int
    thin: int
    quarantined: int


class RecordsFetched(msgspec.Struct, frozen=True):
    """Records that thin events named were asked for by id."""

    source: str
    fetched: int
    gone: int
    changed: int


class FetchingDelayed(msgspec.Struct, frozen=True):
    """Records that thin events name cannot be asked for now; again in `wait` seconds."""

    source: str
    wait: float
    reason: str


class PullStarted(msgspec.Struct, frozen=True):
    """The daemon begins to pull a source; `cause`: nightly, reconcile, start, request, retry."""

    source: str
    cause: str


class PullFinished(msgspec.Struct, frozen=True):
    """A source's pull ended: succeeded, partial, failed or interrupted."""

    source: str
    cause: str
    status: str
    records: int
    changed: int
    seconds: float
    reason: str
    hint: str = ""


class HookCalled(msgspec.Struct, frozen=True):
    """A hook's call was answered well."""

    hook: str
    event: str
    attempts: int


class HookFailed(msgspec.Struct, frozen=True):
    """A hook's call failed; `wait`: seconds to the next try, None when it was given up."""

    hook: str
    event: str
    attempts: int
    wait: float | None
    error: str


class TroubleBegan(msgspec.Struct, frozen=True):
    """Something is wrong that was not before; `subject` such as `source main` or `disk`."""

    subject: str
    reason: str
    hint: str


class TroubleEnded(msgspec.Struct, frozen=True):
    """What was wrong with the subject is over, after `seconds`."""

    subject: str
    seconds: float


class DaemonStarted(msgspec.Struct, frozen=True):
    """The daemon works: where it listens, and for how many sources and sinks."""

    address: str
    admin_address: str
    sources: int
    sinks: int


class DaemonStopping(msgspec.Struct, frozen=True):
    """The daemon was asked to end, or has to; work under way may take `seconds` more."""

    reason: str
    seconds: float


class ConfigReloaded(msgspec.Struct, frozen=True):
    """A changed configuration is in effect."""

    file: str


class ConfigRefused(msgspec.Struct, frozen=True):
    """A changed configuration is wrong: the former one stays in effect."""

    file: str
    error: str
    hint: str


class StateUnavailable(msgspec.Struct, frozen=True):
    """The state could not be read or written; the worker tries again in `wait` seconds."""

    worker: str
    wait: float
    error: str


class StateCleaned(msgspec.Struct, frozen=True):
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
