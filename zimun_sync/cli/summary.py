"""What a sync came to, as tables for people."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zimun_sync.cli.common import ago, number
from zimun_sync.pipeline.report import SinkReport, SyncReport
from zimun_sync.store import Run

_STYLES = {
    "succeeded": "green",
    "current": "green",
    "partial": "yellow",
    "behind": "yellow",
    "parked": "red",
    "failed": "red",
}


def print_report(console: Console, report: SyncReport, seconds: float) -> None:
    """Both tables, then every reason, then the status."""
    console.print(_runs_table(report.runs))
    console.print()
    if report.sinks:
        console.print(_sinks_table(report.sinks))
        console.print()
    for run in report.runs:
        if run.error:
            console.print(_trouble(f"{run.source}/{run.stream}", run.error, run.hint or ""))
    for name, sink in report.sinks.items():
        if sink.reason:
            console.print(_trouble(name, sink.reason, sink.hint))
    if report.in_quarantine:
        console.print(
            f"{number(report.in_quarantine)} in quarantine: see `zimun-sync quarantine list`."
        )
    console.print(_last_line(report, seconds))


def _last_line(report: SyncReport, seconds: float) -> Text:
    said = "interrupted, the next sync goes on from here" if report.interrupted else report.status
    return Text.assemble(
        (f"Sync {said}", f"bold {_STYLES[report.status]}"), f" in {seconds:.1f} s."
    )


def _table(*columns: str, numbers: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        right = 0 < index <= numbers
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    return table


def _runs_table(runs: tuple[Run, ...]) -> Table:
    table = _table("listing", "pages", "records", "changed", "quarantined", "status", numbers=4)
    for run in runs:
        counts = (run.pages, run.records, run.changed, run.quarantined)
        status = run.status.replace("_", " ") + remark(run)
        table.add_row(
            f"{run.source}/{run.stream}",
            *(number(count) for count in counts),
            Text(status, _STYLES.get(run.status, "dim")),
        )
    return table


def remark(run: Run) -> str:
    """What was unusual about how a run came to its end, in brackets; nothing as a rule."""
    said = ["resumed"] if run.resumes else []
    said += [f"{run.passes} passes"] if run.passes > 1 else []
    said += [f"the last found {number(run.found_late)} more"] if run.found_late else []
    return f" ({', '.join(said)})" if said else ""


def _sinks_table(sinks: dict[str, SinkReport]) -> Table:
    skipping = any(sink.skipped for sink in sinks.values())
    columns = ["sink", "applied", "unchanged", "rejected", *(["skipped"] if skipping else [])]
    table = _table(*columns, "lag", "state", numbers=len(columns))
    for name, sink in sinks.items():
        lag = number(sink.lag_changes)
        if sink.lag_changes:
            lag = f"{lag} ({ago(sink.lag_seconds)})"
        counts = [sink.applied, sink.unchanged, sink.rejected]
        counts += [sink.skipped] if skipping else []
        state = Text(sink.state, _STYLES[sink.state])
        table.add_row(name, *(number(count) for count in counts), lag, state)
    return table


def _trouble(where: str, what: str, hint: str) -> Text:
    text = Text.assemble((f"{where}: ", "bold"), (what, "red"))
    return text.append(f"\n  what to do: {hint}") if hint else text
