"""How things stand, for people: what needs them first, then every source and sink."""

from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zimun_sync.cli.common import ago, moment, number
from zimun_sync.model import from_micros
from zimun_sync.status import Severity, SinkStatus, Snapshot, Status, StreamStatus, Trouble
from zimun_sync.status.snapshot import SourceStatus, duration
from zimun_sync.status.troubles import counted
from zimun_sync.store import Run

#: Columns that a screen needs for a run's id.
_WIDE = 110
STYLES = {
    "succeeded": "green",
    "current": "green",
    "running": "cyan",
    "behind": "yellow",
    "paused": "yellow",
    "needs_attention": "yellow",
    "parked": "red",
    "failed": "red",
}


def print_status(console: Console, status: Status, timezone: str) -> None:
    """Everything `status` tells, on one screen.

    Args:
        console: where to.
        status: how things stand.
        timezone: IANA zone of the schedule, in which the next run is told.
    """
    snapshot = status.snapshot
    console.print(_verdict(status))
    for trouble in status.troubles:
        console.print(_trouble(trouble))
    for name, source in snapshot.sources.items():
        console.print()
        console.print(_source_line(snapshot, name, source, ZoneInfo(timezone)))
        console.print(_streams_table(snapshot, source))
    if snapshot.sinks:
        console.print()
        console.print(_sinks_table(snapshot))
    console.print()
    console.print(_surroundings(snapshot))


def _verdict(status: Status) -> Text:
    count = len(status.wrong)
    if not count:
        return Text("All is well.", "bold green")
    return Text("One thing needs you:" if count == 1 else f"{count} things need you:", "bold red")


def _trouble(trouble: Trouble) -> Table:
    """A trouble whose lines, however long, stay to the right of its mark."""
    wrong = trouble.severity is Severity.TROUBLE
    said = Text.assemble((f"{trouble.subject}: ", "bold"), trouble.reason)
    if trouble.hint:
        said.append(f"\n→ {trouble.hint}", "dim")
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text("✗", "red") if wrong else Text("·", "yellow"), said)
    return grid


def _source_line(snapshot: Snapshot, name: str, source: SourceStatus, zone: ZoneInfo) -> Text:
    line = Text.assemble((f"source {name}", "bold"), f" ({source.organization or 'never listed'})")
    if source.paused_since is not None:
        line.append(f", paused since {moment(source.paused_since)}", "yellow")
    elif snapshot.daemon is not None:
        due = snapshot.schedule.next_pull
        line.append(f", next pull {_due(due, snapshot.taken_at, zone)}")
    if source.backlog is not None:
        age = ago(snapshot.age(source.backlog.oldest) or 0.0)
        waiting = counted(source.backlog.events, "webhook event")
        line.append(f", {waiting} not taken in, the oldest {age} old")
    return line


def _due(due: datetime, now: int, zone: ZoneInfo) -> str:
    within = ago((due - from_micros(now)).total_seconds())
    return f"{due.astimezone(zone):%a %H:%M %Z} (in {within})"


def _streams_table(snapshot: Snapshot, source: SourceStatus) -> Table:
    table = _table("  stream", "records", "last run", "last success", "pages", right=(1, 4))
    for name, stream in source.streams.items():
        fresh = snapshot.age(stream.last_success)
        table.add_row(
            f"  {name}",
            number(stream.records),
            _last_run(stream.last_run),
            "never" if fresh is None else f"{ago(fresh)} ago",
            _pages(stream),
        )
    return table


def _last_run(run: Run | None) -> Text:
    if run is None:
        return Text("never", "dim")
    resumed = " (resumed)" if run.resumes and run.status == "running" else ""
    passes = f" ({run.passes} passes)" if run.passes > 1 else ""
    return Text(run.status.replace("_", " ") + resumed + passes, STYLES.get(run.status, "dim"))


def _pages(stream: StreamStatus) -> str:
    return "0" if stream.last_run is None else number(stream.last_run.pages)


def _sinks_table(snapshot: Snapshot) -> Table:
    table = _table("sink", "type", "state", "behind")
    for name, sink in snapshot.sinks.items():
        table.add_row(
            Text(name, "bold"),
            sink.type,
            Text(sink.state, STYLES[sink.state]),
            behind(snapshot, sink),
        )
    return table


def behind(snapshot: Snapshot, sink: SinkStatus) -> str:
    """How many changes a sink has not taken, and for how long."""
    if not sink.lag_changes:
        return ""
    return f"{counted(sink.lag_changes, 'change')} ({ago(snapshot.age(sink.lag_since) or 0.0)})"


def _surroundings(snapshot: Snapshot) -> Table:
    grid = Table.grid(padding=(0, 2))
    serving = "not running" if snapshot.daemon is None else str(snapshot.daemon)
    grid.add_row(Text("daemon", "bold"), serving)
    free = snapshot.room.free_bytes
    left = "" if free is None else f", {_bytes(free)} free on its disk"
    grid.add_row(Text("state", "bold"), f"{_bytes(snapshot.room.size_bytes)}{left}")
    return grid


def _bytes(count: int) -> str:
    for size, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1_000:.0f} kB"


def _table(*columns: str, right: tuple[int, ...] = (), gap: int = 2) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", no_wrap=True)
    return table


def print_runs(console: Console, latest: list[Run]) -> None:
    """Runs as a table, each reason below; a narrow screen leaves out the years and the ids."""
    wide = console.width >= _WIDE
    columns = ("listing", "started", "took", "status", "pages", "records", "changed")
    table = _table(*columns, *(["run"] if wide else []), right=(4, 5, 6), gap=2 if wide else 1)
    for run in latest:
        table.add_row(*_run_row(run, wide=wide))
    console.print(table)
    for run in latest:
        if run.error:
            console.print(_reason(run))


def _run_row(run: Run, *, wide: bool) -> list[str | Text]:
    started, taken = moment(run.started_at), duration(run)
    counts = (number(count) for count in (run.pages, run.records, run.changed))
    return [
        f"{run.source}/{run.stream}",
        started if wide else started[5:16],
        "" if taken is None else ago(taken),
        _last_run(run),
        *counts,
        *([Text(run.run_id, "dim")] if wide else []),
    ]


def _reason(run: Run) -> Text:
    text = Text.assemble((f"{run.run_id}: ", "bold"), run.error or "")
    return text.append(f"\n  → {run.hint}", "dim") if run.hint else text
