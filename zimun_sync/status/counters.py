"""Counters: what happened since the process started, told by events."""

from collections.abc import Callable
from threading import Lock
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram

from zimun_sync import events as ev
from zimun_sync.events import Event

_SOURCE: Final = ("source",)
_STREAM: Final = ("source", "stream")
_SINK: Final = ("sink",)

#: Name (without prefix and `_total`), labels, meaning.
COUNTERS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("pages", _STREAM, "Pages stored."),
    ("records_listed", _STREAM, "Records listed; a resumed run's from its second page on."),
    ("records_changed", _STREAM, "Listed records that were new or differed."),
    ("records_quarantined", _STREAM, "Listed records that could not be read."),
    ("records_tombstoned", _STREAM, "Records found gone from the source."),
    ("runs", (*_STREAM, "status"), "Runs that ended, by their status."),
    ("deletions_held", _STREAM, "Listings that missed so much that a person has to approve."),
    ("listing_restarts", _STREAM, "Listings that began again at their first page."),
    ("listing_repeats", _STREAM, "Further passes over listings that may have moved."),
    ("records_found_late", _STREAM, "Records that only a further pass over the listing found."),
    ("fields_appeared", _STREAM, "Fields that came up and that no column is made of."),
    ("disputes", _STREAM, "Records asked for by id because a listing contradicted the state."),
    ("request_retries", _SOURCE, "Requests to the API that were tried again."),
    ("batches", _SINK, "Batches that a sink took."),
    (
        "changes_delivered",
        (*_SINK, "status"),
        "Changes: applied, unchanged, rejected or skipped.",
    ),
    ("sink_waits", _SINK, "Times a sink was not available."),
    ("sink_parks", _SINK, "Times a sink was parked."),
    ("connector_failures", _SINK, "Times a connector raised what its contract does not know."),
    ("webhook_events", (*_SOURCE, "status"), "Webhook events that came: new or duplicate."),
    ("webhook_requests_refused", (*_SOURCE, "status"), "Webhook requests refused, by HTTP status."),
    ("webhook_events_applied", (*_SOURCE, "status"), "Webhook events taken in, by what they did."),
    ("records_fetched", (*_SOURCE, "status"), "Records of thin events asked for: found or gone."),
    ("hook_calls", ("status",), "Calls of hooks: succeeded, retried or given_up."),
    ("state_failures", (), "Times the state could not be read or written by the daemon."),
    ("config_reloads", ("status",), "Changed configurations: accepted or refused."),
)
#: Seconds; a nightly pull takes minutes, and hours where an API limits its callers.
_DURATIONS: Final = (1, 5, 15, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800)


class _Heard(NamedTuple):
    """A run's counts when last heard of; `records` is unknown right after a resumption."""

    run_id: str
    pages: int = 0
    records: int | None = 0
    changed: int = 0
    quarantined: int = 0


class Counters:
    """Takes events, from any thread.

    Args:
        registry: where the counters are shown.
        known: whether a source of that name is configured: whoever can reach the webhooks'
            port chooses the names that refused requests come with.
    """

    def __init__(self, registry: CollectorRegistry, known: Callable[[str], bool]) -> None:
        self._counters = {
            name: Counter(f"zimun_sync_{name}", meaning, labels, registry=registry)
            for name, labels, meaning in COUNTERS
        }
        self._pulls = Histogram(
            "zimun_sync_pull_duration_seconds",
            "How long a source's pulls took, by how they ended.",
            (*_SOURCE, "status"),
            buckets=_DURATIONS,
            registry=registry,
        )
        self._known = known
        self._lock = Lock()
        self._heard: dict[tuple[str, str], _Heard] = {}

    def __call__(self, event: Event) -> None:
        """Count one event."""
        match event:
            case ev.RunStarted() | ev.PageStored() | ev.ListingRestarted() | ev.RunFinished():
                self._count_run(event)
            case ev.ListingRepeated() | ev.ListingUnsettled():
                self._count_pass(event)
            case ev.BatchDelivered() | ev.SinkWaiting() | ev.SinkParked() | ev.ConnectorFailed():
                self._count_sink(event)
            case ev.EventsReceived() | ev.WebhookRefused() | ev.EventsApplied():
                self._count_webhooks(event)
            case ev.HookCalled() | ev.HookFailed() | ev.ConfigReloaded() | ev.ConfigRefused():
                self._count_surroundings(event)
            case ev.StateUnavailable():
                self._add(1, "state_failures")
            case _:
                self._count_source(event)

    def _add(self, by: int, name: str, *labels: str) -> None:
        counter = self._counters[name]
        (counter.labels(*labels) if labels else counter).inc(by)

    def _count_run(
        self, event: ev.RunStarted | ev.PageStored | ev.ListingRestarted | ev.RunFinished
    ) -> None:
        at = (event.source, event.stream)
        match event:
            case ev.RunStarted():
                with self._lock:
                    records = None if event.resumed else 0
                    self._heard[at] = _Heard(event.run_id, event.pages, records)
                self._add(0, "runs", *at, "succeeded")  # a rate of failures needs them from 0
                self._add(0, "runs", *at, "failed")
            case ev.ListingRestarted():
                self._add(1, "listing_restarts", *at)
                with self._lock:
                    self._heard[at] = _Heard(event.run_id, changed=self._last(event).changed)
            case ev.PageStored():
                self._count_progress(event)
            case ev.RunFinished():
                self._count_progress(event)
                self._add(1, "runs", *at, event.status)

    def _count_pass(self, event: ev.ListingRepeated | ev.ListingUnsettled) -> None:
        """A further pass counts its records from 0; what it changes adds to what was changed."""
        at = (event.source, event.stream)
        self._add(event.found_late, "records_found_late", *at)
        if isinstance(event, ev.ListingRepeated):
            self._add(1, "listing_repeats", *at)
            with self._lock:
                self._heard[at] = self._last(event)._replace(records=0, quarantined=0)

    def _last(
        self, event: ev.PageStored | ev.ListingRestarted | ev.ListingRepeated | ev.RunFinished
    ) -> _Heard:
        last = self._heard.get((event.source, event.stream))
        return last if last and last.run_id == event.run_id else _Heard(event.run_id)

    def _count_progress(self, event: ev.PageStored | ev.RunFinished) -> None:
        """Count what a run's totals grew by since it was last heard of."""
        at = (event.source, event.stream)
        with self._lock:
            last = self._last(event)
            totals = (event.pages, event.records, event.changed, event.quarantined)
            self._heard[at] = _Heard(event.run_id, *totals)
        self._add(max(event.pages - last.pages, 0), "pages", *at)
        if last.records is not None:
            self._add(max(event.records - last.records, 0), "records_listed", *at)
            self._add(max(event.changed - last.changed, 0), "records_changed", *at)
            self._add(max(event.quarantined - last.quarantined, 0), "records_quarantined", *at)

    def _count_sink(
        self, event: ev.BatchDelivered | ev.SinkWaiting | ev.SinkParked | ev.ConnectorFailed
    ) -> None:
        match event:
            case ev.BatchDelivered():
                self._add(1, "batches", event.sink)
                self._add(event.applied, "changes_delivered", event.sink, "applied")
                self._add(event.unchanged, "changes_delivered", event.sink, "unchanged")
                self._add(event.rejected, "changes_delivered", event.sink, "rejected")
                self._add(event.skipped, "changes_delivered", event.sink, "skipped")
            case ev.SinkWaiting():
                self._add(1, "sink_waits", event.sink)
            case ev.SinkParked():
                self._add(1, "sink_parks", event.sink)
            case ev.ConnectorFailed():
                self._add(1, "connector_failures", event.sink)

    def _count_webhooks(
        self, event: ev.EventsReceived | ev.WebhookRefused | ev.EventsApplied
    ) -> None:
        match event:
            case ev.EventsReceived():
                self._add(event.received, "webhook_events", event.source, "new")
                self._add(event.duplicates, "webhook_events", event.source, "duplicate")
            case ev.WebhookRefused():
                source = event.source if self._known(event.source) else ""
                self._add(1, "webhook_requests_refused", source, str(event.status))
            case ev.EventsApplied():
                rest = event.events - event.changed - event.thin - event.quarantined
                self._add(event.changed, "webhook_events_applied", event.source, "changed")
                self._add(event.thin, "webhook_events_applied", event.source, "thin")
                self._add(event.quarantined, "webhook_events_applied", event.source, "quarantined")
                self._add(max(rest, 0), "webhook_events_applied", event.source, "unchanged")

    def _count_surroundings(
        self, event: ev.HookCalled | ev.HookFailed | ev.ConfigReloaded | ev.ConfigRefused
    ) -> None:
        match event:
            case ev.HookCalled():
                self._add(1, "hook_calls", "succeeded")
            case ev.HookFailed():
                self._add(1, "hook_calls", "given_up" if event.wait is None else "retried")
            case ev.ConfigReloaded():
                self._add(1, "config_reloads", "accepted")
            case ev.ConfigRefused():
                self._add(1, "config_reloads", "refused")

    def _count_source(self, event: Event) -> None:
        """Count what else happens to a source; events that tell no count are passed over."""
        match event:
            case ev.PullFinished():
                self._pulls.labels(event.source, event.status).observe(event.seconds)
            case ev.RequestRetried():
                self._add(1, "request_retries", event.source)
            case ev.DisputeSettled():
                self._add(1, "disputes", event.source, event.stream)
            case ev.FieldAppeared():
                self._add(1, "fields_appeared", event.source, event.stream)
            case ev.DeletionsHeld():
                self._add(1, "deletions_held", event.source, event.stream)
            case ev.DeletionsChecked():
                self._add(event.tombstoned, "records_tombstoned", event.source, event.stream)
            case ev.RecordsFetched():
                self._add(event.fetched, "records_fetched", event.source, "found")
                self._add(event.gone, "records_fetched", event.source, "gone")
            case _:
                pass
