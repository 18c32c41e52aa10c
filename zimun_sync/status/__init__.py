"""How everything stands, what is wrong with it, and the metrics that tell so."""

from zimun_sync.status.schedule import next_after, next_runs
from zimun_sync.status.snapshot import (
    Schedule,
    SinkStatus,
    Snapshot,
    SourceStatus,
    StreamStatus,
    duration,
    iso,
    notice_json,
    run_json,
)
from zimun_sync.status.status import Status, status_of, tell_changes
from zimun_sync.status.taking import DAEMON_LEASE, RememberedCounts, take
from zimun_sync.status.troubles import Severity, Trouble, troubles, undecided

__all__ = [
    "DAEMON_LEASE",
    "RememberedCounts",
    "Schedule",
    "Severity",
    "SinkStatus",
    "Snapshot",
    "SourceStatus",
    "Status",
    "StreamStatus",
    "Trouble",
    "duration",
    "iso",
    "next_after",
    "next_runs",
    "notice_json",
    "run_json",
    "status_of",
    "take",
    "tell_changes",
    "troubles",
    "undecided",
]
