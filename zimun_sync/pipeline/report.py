"""What a sync came to, for people, for `--json` and for the exit code."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from zimun_sync.pipeline.deliver import Delivery, Totals
from zimun_sync.pipeline.offering import fingerprint_of, version_of
from zimun_sync.store import Lag, Place, Run, RunStatus, Store


class SinkReport(Struct, frozen=True):
    """One sink's part.

    Args:
        applied: changes that altered it.
        unchanged: changes it held already.
        rejected: changes it refused; they are in quarantine.
        skipped: changes that are none of its business.
        lag_changes: changes it has not taken yet.
        lag_seconds: age of the oldest of those.
        state: `current`, `behind` or `parked`.
        reason: why it is behind or parked.
        hint: what to do about it.
    """

    applied: int
    unchanged: int
    rejected: int
    skipped: int
    lag_changes: int
    lag_seconds: float
    state: str
    reason: str
    hint: str


class SyncReport(Struct, frozen=True):
    """A finished sync.

    Args:
        runs: one a stream and source, in the order they ran.
        sinks: by name.
        in_quarantine: open entries of the sources and sinks that took part.
        interrupted: the process was asked to end before everything was done.
    """

    runs: tuple[Run, ...]
    sinks: dict[str, SinkReport]
    in_quarantine: int
    interrupted: bool = False

    @property
    def status(self) -> str:
        """`failed` when a listing did not end well; `partial` when something needs a look."""
        if self.interrupted or any(run.status == RunStatus.FAILED for run in self.runs):
            return "failed"
        behind = any(sink.state != "current" for sink in self.sinks.values())
        doubtful = any(run.status == RunStatus.NEEDS_ATTENTION for run in self.runs)
        return "partial" if behind or doubtful or self.in_quarantine else "succeeded"

    @property
    def exit_code(self) -> int:
        """0 done, 1 failed, 3 something needs a look: a run, quarantine, a sink."""
        return {"succeeded": 0, "failed": 1, "partial": 3}[self.status]

    def to_json(self) -> dict[str, Any]:
        """The object that `sync --json` prints."""
        return {
            "status": self.status,
            "runs": [_run_json(run) for run in self.runs],
            "sinks": {name: _sink_json(sink) for name, sink in self.sinks.items()},
            "in_quarantine": self.in_quarantine,
        }


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "source": run.source,
        "stream": run.stream,
        "run_id": run.run_id,
        "status": run.status,
        "pages": run.pages,
        "records": run.records,
        "changed": run.changed,
        "quarantined": run.quarantined,
        "tombstoned": run.tombstoned,
        "resumed": run.resumes > 0,
        "passes": run.passes,
        "found_late": run.found_late,
        "error": run.error,
        "hint": run.hint,
    }


def _sink_json(sink: SinkReport) -> dict[str, Any]:
    return {
        "applied": sink.applied,
        "unchanged": sink.unchanged,
        "rejected": sink.rejected,
        "skipped": sink.skipped,
        "lag": {"changes": sink.lag_changes, "seconds": sink.lag_seconds},
        "state": sink.state,
        "reason": sink.reason or None,
        "hint": sink.hint or None,
    }


def lag_of(store: Store, delivery: Delivery, upto: Mapping[str, int] | None = None) -> Lag:
    """How far a sink is behind the feed, over all streams of all sources.

    Args:
        store: the feed and the offsets.
        delivery: the sink's.
        upto: the last sequence that counts, by source; by default all do.
    """
    heads = upto or {}
    lags = [
        store.feed.lag(source, name, _offset(store, delivery, source, name), heads.get(source))
        for source, names in delivery.sources.items()
        for name in names
    ]
    oldest = [lag.oldest for lag in lags if lag.oldest is not None]
    return Lag(sum(lag.changes for lag in lags), min(oldest, default=None))


def sink_report(
    store: Store,
    delivery: Delivery,
    before: Totals | None = None,
    upto: Mapping[str, int] | None = None,
) -> SinkReport:
    """What a delivery came to, its lag read from the store.

    Args:
        store: the feed and the offsets.
        delivery: the sink's.
        before: what it had come to already when the work in question began.
        upto: the last sequence of that work, by source; by default everything counts.
    """
    totals = delivery.totals.since(before or Totals())
    lag = lag_of(store, delivery, upto)
    parked = store.deliveries.parked().get(delivery.name)
    seconds = 0.0 if lag.oldest is None else max(store.now() - lag.oldest, 0) / 1e6
    state = "behind" if lag.changes else "current"
    return SinkReport(
        applied=totals.applied,
        unchanged=totals.unchanged,
        rejected=totals.rejected,
        skipped=totals.skipped,
        lag_changes=lag.changes,
        lag_seconds=round(seconds, 3),
        state="parked" if parked else state,
        reason=parked.reason if parked else delivery.reason * bool(lag.changes),
        hint=parked.hint if parked else "",
    )


def _offset(store: Store, delivery: Delivery, source: str, stream: str) -> int:
    version = version_of(delivery.sink, delivery.guard)
    fingerprint = fingerprint_of(delivery.streams[stream], version)
    return store.deliveries.offset(Place(delivery.name, source, stream), fingerprint)
