"""What is wrong, and what to do about it: a pure reading of a snapshot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from zimun_sync.config.serving import AlertSettings
from zimun_sync.status.snapshot import SinkStatus, Snapshot, SourceStatus, StreamStatus
from zimun_sync.store import SOURCE_SIDE, Notice, QuarantineCount, Run, RunStatus

#: Webhook events that wait longer than this are a backlog.
BACKLOG_SECONDS: Final = 300.0
#: How long sinks may take to forget someone before a person is told.
FORGETTING_SECONDS: Final = 3_600.0
_MEGABYTE: Final = 1_000_000
_LIST = "See `zimun-sync quarantine list`; then `quarantine retry` or `quarantine drop`."


class Severity(StrEnum):
    """Whether someone has to act."""

    TROUBLE = "trouble"  #: something is wrong: `status` exits with 3, hooks are called
    NOTICE = "notice"  #: worth knowing; alarms nobody


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong.

    Args:
        subject: with what, such as `source main`, `sink crm` or `disk`; one trouble a subject.
        reason: what is wrong, one sentence.
        hint: what to do.
        severity: whether someone has to act.
    """

    subject: str
    reason: str
    hint: str
    severity: Severity = Severity.TROUBLE


def troubles(snapshot: Snapshot, alerts: AlertSettings) -> list[Trouble]:
    """What is wrong at that moment, the notices last."""
    found: list[Trouble] = []
    for name, source in snapshot.sources.items():
        found += _of_source(snapshot, alerts, name, source)
    for name, sink in snapshot.sinks.items():
        found += _of_sink(snapshot, alerts, name, sink)
    found += _of_surroundings(snapshot, alerts)
    found += [_quarantined(each) for each in snapshot.quarantine]
    return sorted(found, key=lambda each: each.severity is Severity.NOTICE)


def undecided(snapshot: Snapshot) -> set[str]:
    """Subjects that a run under way will decide: what is remembered of them stands till then."""
    return {
        f"source {name}"
        for name, source in snapshot.sources.items()
        if source.paused_since is None and any(each.running for each in source.streams.values())
    }


def _of_source(
    snapshot: Snapshot, alerts: AlertSettings, name: str, source: SourceStatus
) -> Iterator[Trouble]:
    if source.paused_since is not None:
        hint = f"`zimun-sync resume --source {name}` goes on where it stood."
        yield Trouble(f"source {name}", "It is paused.", hint, Severity.NOTICE)
    else:
        yield from _of_listings(snapshot, alerts, name, source)
        yield from _of_backlog(snapshot, name, source)
    for run in source.needs_attention:
        yield _needs_attention(run)
    skew = source.skew_seconds
    if skew is not None and abs(skew) > alerts.clock_skew_seconds:
        said = f"Its clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours."
        yield Trouble(f"clock {name}", said, "Let NTP set this machine's clock.")


def _of_listings(
    snapshot: Snapshot, alerts: AlertSettings, name: str, source: SourceStatus
) -> Iterator[Trouble]:
    """One trouble for all streams: an API that is away would else be told six times."""
    subject = f"source {name}"
    if all(stream.last_run is None for stream in source.streams.values()):
        hint = "`zimun-sync sync` lists it now, `zimun-sync serve` on schedule."
        yield Trouble(subject, "It was never listed.", hint, Severity.NOTICE)
        return
    failed = [each for each in source.streams.items() if _failed(each[1])]
    stale = [each for each in source.streams.items() if _is_stale(snapshot, alerts, source, *each)]
    if failed:
        yield _failure(subject, failed)
    elif stale:
        yield _staleness(snapshot, subject, stale)
    for stream in source.streams.values():
        if stream.last_run is not None and _is_unsettled(stream.last_run):
            yield _unsettled(stream.last_run)


def _failed(stream: StreamStatus) -> bool:
    return stream.last_run is not None and stream.last_run.status == RunStatus.FAILED


def _is_stale(
    snapshot: Snapshot, alerts: AlertSettings, source: SourceStatus, name: str, stream: StreamStatus
) -> bool:
    if any(run.stream == name for run in source.needs_attention):
        return False  # that is told, and nothing else keeps it from being good
    age = snapshot.age(_good_since(stream))
    return age is not None and age > alerts.stale_after_hours * 3600


def _good_since(stream: StreamStatus) -> int | None:
    """When it was last known to be good; without any good run, when its first one began."""
    return stream.first_run_at if stream.good_at is None else stream.good_at


def _failure(subject: str, failed: Sequence[tuple[str, StreamStatus]]) -> Trouble:
    name, stream = failed[-1]
    run = stream.last_run
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    said = (run and run.error) or "no reason is known"
    hint = (run and run.hint) or "`zimun-sync runs` shows the history."
    return Trouble(subject, f"Listing {name}{others} failed: {said}", hint)


def _is_unsettled(run: Run) -> bool:
    return run.status == RunStatus.SUCCEEDED and run.found_late > 0


def _unsettled(run: Run) -> Trouble:
    found = counted(run.found_late, "record")
    said = f"It moves while it is read: pass {run.passes} still found {found} anew."
    hint = "What is still missed comes with the next listing: pull it when less happens there."
    return Trouble(f"listing {run.source}/{run.stream}", said, hint, Severity.NOTICE)


def _staleness(
    snapshot: Snapshot, subject: str, stale: Sequence[tuple[str, StreamStatus]]
) -> Trouble:
    oldest = max(snapshot.age(_good_since(stream)) or 0.0 for _, stream in stale)
    names = ", ".join(name for name, _ in stale)
    hint = (
        "Start the daemon, `zimun-sync serve`, or run `zimun-sync sync`."
        if snapshot.daemon is None
        else "`zimun-sync runs` and the log tell what keeps the daemon from listing it."
    )
    return Trouble(subject, f"No good run of {names} for {oldest / 3600:.1f} hours.", hint)


def _needs_attention(run: Run) -> Trouble:
    said = run.error or "A person has to look at what the listing missed."
    hint = run.hint or f"If that is right: `zimun-sync approve {run.run_id}`."
    return Trouble(f"deletions {run.source}/{run.stream}", said, hint)


def _of_backlog(snapshot: Snapshot, name: str, source: SourceStatus) -> Iterator[Trouble]:
    if source.backlog is None:
        return
    age = snapshot.age(source.backlog.oldest) or 0.0
    if age > BACKLOG_SECONDS:
        waiting = counted(source.backlog.events, "webhook event")
        said = f"{waiting} not taken in, the oldest for {age / 60:.0f} min."
        hint = (
            "Start the daemon: `zimun-sync serve`."
            if snapshot.daemon is None
            else "The log tells what keeps the daemon from taking them in."
        )
        yield Trouble(f"inbox {name}", said, hint)


def _of_sink(
    snapshot: Snapshot, alerts: AlertSettings, name: str, sink: SinkStatus
) -> Iterator[Trouble]:
    subject = f"sink {name}"
    behind = snapshot.age(sink.lag_since) or 0.0
    if sink.parked is not None:
        severity = Severity.NOTICE if sink.state == "paused" else Severity.TROUBLE
        hint = sink.parked.hint or f"`zimun-sync resume {name}` once it is mended."
        yield Trouble(subject, f"{sink.state.capitalize()}: {sink.parked.reason}", hint, severity)
    elif behind > alerts.sink_behind_minutes * 60:
        waiting = counted(sink.lag_changes, "change")
        said = f"{waiting} not taken yet, the oldest for {behind / 60:.0f} min."
        yield Trouble(subject, said, "The log tells what it waits for; it catches up by itself.")
    if sink.notices:
        yield _noticed(name, sink.notices)


def _noticed(name: str, notices: Sequence[Notice]) -> Trouble:
    """One for all: a sink may notice hundreds."""
    newest = max(notices, key=lambda each: each.last_at)
    others = f" (and {len(notices) - 1} more)" if len(notices) > 1 else ""
    hint = f"`zimun-sync sinks show {name}` lists them."
    return Trouble(f"notices {name}", f"{newest.message}{others}", hint, Severity.NOTICE)


def _of_surroundings(snapshot: Snapshot, alerts: AlertSettings) -> Iterator[Trouble]:
    free = snapshot.room.free_bytes
    if free is not None and free < alerts.disk_free_mb * _MEGABYTE:
        said = f"{free / _MEGABYTE:,.0f} MB are free where the state lies."
        yield Trouble("disk", said, "Free some space; a full disk stops everything.")
    yield from _of_forgetting(snapshot)
    for hook in snapshot.hooks_given_up:
        hint = f"Check `hooks.{hook.hook}` in the configuration and the address it calls."
        yield Trouble(f"hook {hook.hook}", f"Its last call was given up: {hook.error}", hint)


def _of_forgetting(snapshot: Snapshot) -> Iterator[Trouble]:
    """A person's request is kept, or somebody hears of it."""
    owed = snapshot.owed
    hint = "`zimun-sync forget --receipts` tells what is left, and where."
    if (snapshot.age(owed.since) or 0.0) > FORGETTING_SECONDS:
        said = f"{counted(owed.waiting, 'request')} to forget someone not carried out everywhere."
        yield Trouble("forgetting", said, hint)
    elif owed.by_hand:
        said = f"{counted(owed.by_hand, 'request')} to forget someone left something for you to do."
        yield Trouble("forgetting", said, hint)


def _quarantined(count: QuarantineCount) -> Trouble:
    entries = counted(count.entries, "record")
    if count.sink == SOURCE_SIDE:
        said = f"{entries} could not be read."
        return Trouble(f"quarantine {count.source}", said, _LIST, Severity.NOTICE)
    subject = f"quarantine {count.source}/{count.sink}"
    return Trouble(subject, f"{entries} refused by {count.sink}.", _LIST, Severity.NOTICE)


def counted(count: int, thing: str) -> str:
    """A number of things, in words that fit one of them too."""
    return f"1 {thing}" if count == 1 else f"{count:,} {thing}s"
