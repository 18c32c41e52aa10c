"""How everything stands at one moment. Times are microseconds since the epoch, UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import asdict

from zimun_sync.model import from_micros
from zimun_sync.store import (
    Backlog,
    GivenUp,
    Holder,
    Notice,
    Owed,
    Parked,
    ParkKind,
    QuarantineCount,
    Room,
    Run,
    RunStatus,
)


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream of a source.

    Args:
        records: what is stored and not deleted.
        last_run: its newest run.
        good_at: when its newest good run ended; one that found the API to have no such list
            counts as good.
        first_run_at: when the first run that is still known began.
        last_success: when its newest run that succeeded ended.
    """

    records: int
    last_run: Run | None
    good_at: int | None
    first_run_at: int | None
    last_success: int | None

    @property
    def running(self) -> Run | None:
        """Its run, while that is under way or waits to be resumed."""
        last = self.last_run
        return last if last is not None and last.status == RunStatus.RUNNING else None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One organization.

    Args:
        organization: whose records it brought; None before the first listing.
        paused_since: when a person paused it.
        streams: by name, in the order they are pulled.
        needs_attention: runs that wait for a person, one a stream at most.
        backlog: webhook events that wait.
        skew_seconds: how far its clock is ahead of ours; None where nobody measured.
    """

    organization: str | None
    paused_since: int | None
    streams: Mapping[str, StreamStatus]
    needs_attention: tuple[Run, ...]
    backlog: Backlog | None
    skew_seconds: float | None


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """One sink.

    Args:
        type: its connector.
        lag_changes: changes it has not taken yet.
        lag_since: when the oldest of those was stored.
        parked: why it gets nothing until someone acts.
        notices: what it met that a person may want to mend.
    """

    type: str
    lag_changes: int
    lag_since: int | None
    parked: Parked | None
    notices: tuple[Notice, ...] = ()

    @property
    def state(self) -> str:
        """`current`, `behind`, `parked`, or `paused` where a person parked it."""
        if self.parked is not None:
            return "paused" if self.parked.kind is ParkKind.PAUSED else "parked"
        return "behind" if self.lag_changes else "current"


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the daemon pulls next: every source, and a listing of everything."""

    next_pull: datetime
    next_reconcile: datetime | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How everything stands.

    Args:
        taken_at: when this was read.
        sources: by name, in the configuration's order.
        sinks: by name, in the configuration's order.
        quarantine: waiting entries by source and sink, of those that are configured.
        hooks_given_up: hooks whose latest call was given up within a day.
        daemon: the process that serves this state; None where none does.
        schedule: when it pulls next.
        room: what the state takes and what is left on its disk.
        owed: what is still owed to people who asked to be forgotten.
    """

    taken_at: int
    sources: Mapping[str, SourceStatus]
    sinks: Mapping[str, SinkStatus]
    quarantine: tuple[QuarantineCount, ...]
    hooks_given_up: tuple[GivenUp, ...]
    daemon: Holder | None
    schedule: Schedule
    room: Room
    owed: Owed

    @property
    def in_quarantine(self) -> int:
        """Waiting entries, all together."""
        return sum(each.entries for each in self.quarantine)

    def age(self, moment: int | None) -> float | None:
        """Seconds from a moment to this snapshot, to the millisecond; None stays None."""
        return None if moment is None else round(max(self.taken_at - moment, 0) / 1e6, 3)

    def to_json(self) -> dict[str, Any]:
        """The object that `status --json` prints, without what is wrong."""
        return {
            "taken_at": iso(self.taken_at),
            "sources": {name: self._source(each) for name, each in self.sources.items()},
            "sinks": {name: self._sink(each) for name, each in self.sinks.items()},
            "in_quarantine": self.in_quarantine,
            "quarantine": [asdict(each) for each in self.quarantine],
            "hooks_given_up": [
                {"hook": each.hook, "error": each.error, "since": iso(each.given_up_at)}
                for each in self.hooks_given_up
            ],
            "daemon": self._daemon(),
            "schedule": self._schedule(),
            "state": asdict(self.room),
            "forgetting": {
                "waiting": self.owed.waiting,
                "since": iso(self.owed.since),
                "by_hand": self.owed.by_hand,
            },
        }

    def _source(self, source: SourceStatus) -> dict[str, Any]:
        paused = source.paused_since is not None
        backlog = source.backlog
        return {
            "organization": source.organization,
            "paused": paused,
            "paused_since": iso(source.paused_since),
            "next_run": None if paused else self._schedule()["next_pull"],
            "streams": {name: self._stream(each) for name, each in source.streams.items()},
            "needs_attention": [run_json(run) for run in source.needs_attention],
            "inbox": {
                "waiting": 0 if backlog is None else backlog.events,
                "oldest_seconds": None if backlog is None else self.age(backlog.oldest),
            },
            "clock_skew_seconds": source.skew_seconds,
        }

    def _stream(self, stream: StreamStatus) -> dict[str, Any]:
        running, last = stream.running, stream.last_run
        return {
            "records": stream.records,
            "last_run": None if last is None else run_json(last),
            "last_success": iso(stream.last_success),
            "freshness_seconds": self.age(stream.last_success),
            "in_flight": None
            if running is None
            else {"pages": running.pages, "page_token": running.page_token is not None},
            "reason": None if last is None else last.error,
        }

    def _sink(self, sink: SinkStatus) -> dict[str, Any]:
        parked = sink.parked
        return {
            "type": sink.type,
            "state": sink.state,
            "lag": {"changes": sink.lag_changes, "seconds": self.age(sink.lag_since) or 0.0},
            "reason": None if parked is None else parked.reason,
            "hint": None if parked is None else parked.hint,
            "since": iso(None if parked is None else parked.since),
            "notices": [notice_json(each) for each in sink.notices],
        }

    def _daemon(self) -> dict[str, Any]:
        if self.daemon is None:
            return {"running": False, "host": None, "pid": None, "since": None}
        return {
            "running": True,
            "host": self.daemon.host,
            "pid": self.daemon.pid,
            "since": iso(self.daemon.since),
        }

    def _schedule(self) -> dict[str, str | None]:
        reconcile = self.schedule.next_reconcile
        return {
            "next_pull": self.schedule.next_pull.isoformat(),
            "next_reconcile": None if reconcile is None else reconcile.isoformat(),
        }


def notice_json(notice: Notice) -> dict[str, Any]:
    """A sink's notice for programs."""
    return {
        "code": notice.code,
        "subject": notice.subject,
        "message": notice.message,
        "count": notice.count,
        "first_at": iso(notice.first_at),
        "last_at": iso(notice.last_at),
    }


def run_json(run: Run) -> dict[str, Any]:
    """A run for programs."""
    return {
        "run_id": run.run_id,
        "source": run.source,
        "stream": run.stream,
        "status": run.status,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "duration_seconds": duration(run),
        "pages": run.pages,
        "records": run.records,
        "changed": run.changed,
        "quarantined": run.quarantined,
        "tombstoned": run.tombstoned,
        "resumes": run.resumes,
        "restarts": run.restarts,
        "passes": run.passes,
        "found_late": run.found_late,
        "error": run.error,
        "hint": run.hint,
    }


def duration(run: Run) -> float | None:
    """Seconds from a run's beginning to its end, pauses included; None while it is under way."""
    return None if run.finished_at is None else round((run.finished_at - run.started_at) / 1e6, 3)


def iso(moment: int | None) -> str | None:
    """A moment for programs, ISO 8601 in UTC."""
    return None if moment is None else from_micros(moment).isoformat()
