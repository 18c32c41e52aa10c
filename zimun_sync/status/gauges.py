"""Gauges: how things stand, read when the metrics are asked for."""

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from zimun_sync import __version__
from zimun_sync.errors import StoreError
from zimun_sync.status.snapshot import Snapshot
from zimun_sync.status.status import Status
from zimun_sync.status.troubles import Severity

#: Tells how things stand; raises StoreError where the state cannot be read.
Look = Callable[[], Status]
_Samples = Iterator[tuple[str, tuple[str, ...], float | None]]

_STREAM: Final = ("source", "stream")
#: Name (without prefix), labels, meaning.
GAUGES: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("build_info", ("version",), "Always 1; the label names the release."),
    ("state_readable", (), "1 if the state could be read; 0 leaves out every gauge below."),
    ("daemon_up", (), "1 while a daemon serves this state."),
    ("troubles", ("status",), "What is wrong: trouble (someone has to act) or notice."),
    ("stream_records", _STREAM, "Records stored and not deleted; up to a minute old."),
    ("stream_freshness_seconds", _STREAM, "Time since the last run that succeeded ended."),
    ("stream_last_success_timestamp_seconds", _STREAM, "When that was."),
    ("stream_in_flight_pages", _STREAM, "Pages that a run under way has stored; else 0."),
    ("source_paused", ("source",), "1 while a person has paused it."),
    ("source_clock_skew_seconds", ("source",), "How far its clock is ahead of ours."),
    ("runs_needing_attention", ("source",), "Runs that wait for a person."),
    ("inbox_events", ("source",), "Webhook events that are not settled."),
    ("inbox_oldest_seconds", ("source",), "Age of the oldest of those; 0 without any."),
    ("sink_lag_changes", ("sink",), "Changes that a sink has not taken."),
    ("sink_lag_seconds", ("sink",), "Age of the oldest of those; 0 without any."),
    ("sink_parked", ("sink",), "1 while a sink gets nothing until someone acts."),
    ("sink_notices", ("sink",), "What a sink met that a person may want to mend."),
    ("quarantine_entries", ("source", "sink"), "Records that wait in quarantine."),
    ("next_pull_timestamp_seconds", (), "When the schedule pulls next, but for its jitter."),
    ("state_size_bytes", (), "Size of the state with its log."),
    ("state_disk_free_bytes", (), "Free space on its disk; not for PostgreSQL."),
)


class Gauges(Collector):
    """Reads how things stand each time it is asked.

    Args:
        look: tells how things stand.
    """

    def __init__(self, look: Look) -> None:
        self._look = look

    def describe(self) -> list[Metric]:
        """Every gauge, without values: the state need not be read for their names."""
        return list(_empty().values())

    def collect(self) -> Iterator[Metric]:
        """Every gauge with its values."""
        families = _empty()
        for name, labels, value in self._samples():
            if value is not None:
                families[name].add_metric(labels, value)
        yield from families.values()

    def _samples(self) -> _Samples:
        yield "build_info", (__version__,), 1
        try:
            status = self._look()
        except StoreError:
            yield "state_readable", (), 0
            return
        yield "state_readable", (), 1
        for severity in Severity:
            count = sum(each.severity is severity for each in status.troubles)
            yield "troubles", (severity.value,), count
        yield from _of_streams(status.snapshot)
        yield from _of_sources(status.snapshot)
        yield from _of_sinks(status.snapshot)
        yield from _of_surroundings(status.snapshot)


def _empty() -> dict[str, GaugeMetricFamily]:
    return {
        name: GaugeMetricFamily(f"zimun_sync_{name}", meaning, labels=labels)
        for name, labels, meaning in GAUGES
    }


def _of_streams(snapshot: Snapshot) -> _Samples:
    for name, source in snapshot.sources.items():
        for stream, each in source.streams.items():
            at = (name, stream)
            yield "stream_records", at, each.records
            yield "stream_freshness_seconds", at, snapshot.age(each.last_success)
            yield "stream_last_success_timestamp_seconds", at, _seconds(each.last_success)
            yield "stream_in_flight_pages", at, each.running.pages if each.running else 0


def _of_sources(snapshot: Snapshot) -> _Samples:
    for name, source in snapshot.sources.items():
        backlog = source.backlog
        yield "source_paused", (name,), source.paused_since is not None
        yield "source_clock_skew_seconds", (name,), source.skew_seconds
        yield "runs_needing_attention", (name,), len(source.needs_attention)
        yield "inbox_events", (name,), backlog.events if backlog else 0
        yield "inbox_oldest_seconds", (name,), snapshot.age(backlog.oldest) if backlog else 0


def _of_sinks(snapshot: Snapshot) -> _Samples:
    for name, sink in snapshot.sinks.items():
        yield "sink_lag_changes", (name,), sink.lag_changes
        yield "sink_lag_seconds", (name,), snapshot.age(sink.lag_since) or 0
        yield "sink_parked", (name,), sink.parked is not None
        yield "sink_notices", (name,), len(sink.notices)
    for each in snapshot.quarantine:
        yield "quarantine_entries", (each.source, each.sink), each.entries


def _of_surroundings(snapshot: Snapshot) -> _Samples:
    yield "daemon_up", (), snapshot.daemon is not None
    yield "next_pull_timestamp_seconds", (), snapshot.schedule.next_pull.timestamp()
    yield "state_size_bytes", (), snapshot.room.size_bytes
    yield "state_disk_free_bytes", (), snapshot.room.free_bytes


def _seconds(moment: int | None) -> float | None:
    return None if moment is None else moment / 1e6
