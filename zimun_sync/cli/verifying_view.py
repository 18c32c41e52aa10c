"""What `zimun-sync verify` found, for people."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from rich.console import Console
from rich.table import Table

from zimun_sync.cli.common import number
from zimun_sync.pipeline.findings import Compared, Finding, SinkState, Verified, Why

#: Differing records that are named unless all are asked for.
_NAMED: Final = 20
_SAID: Final[Mapping[str, str]] = {
    "equal": "Everything that was compared is equal.",
    "different": "Something differs, or stands still: see above.",
    "failed": "Not everything could be compared: see above.",
}


def print_verified(console: Console, verified: Verified, *, every: bool) -> None:
    """A line for each stream, then the records that differ, then what it comes to.

    Args:
        console: where to.
        verified: what was found.
        every: whether to name all records that differ, and not the first few only.
    """
    console.print(_table(verified.all))
    for each in verified.all:
        _print_unable(console, each)
    for name, state in verified.states.items():
        _print_state(console, name, state)
    _print_findings(console, verified.all, every=every)
    for name, count in (verified.repaired or {}).items():
        console.print(f"Brought again: {number(count)} of {name}.", markup=False)
    console.print(_SAID[verified.status])


def _table(compared: Iterable[Compared]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("where", "source", "stream"):
        table.add_column(title)
    for title in ("same", "differ", "of these to mend"):
        table.add_column(title, justify="right")
    table.add_column("how")
    for each in compared:
        differ = sum(each.counts.values())
        if each.stream and not each.skipped and not each.failed and (each.same or differ):
            faults = each.count(Why.FAULT)
            numbers = (number(each.same), number(differ), number(faults))
            table.add_row(_where(each), each.source, each.stream, *numbers, _how(each))
    return table


def _where(compared: Compared) -> str:
    return compared.sink or "(state)"


def _how(compared: Compared) -> str:
    """Such as `2 missing-in-sink, 1 differs-in-sink (waiting)`."""
    said = []
    for at, count in compared.counts.items():
        kind, _, why = at.partition("/")
        said.append(f"{number(count)} {kind}" + ("" if why == Why.FAULT else f" ({why})"))
    return ", ".join(said)


def _print_unable(console: Console, compared: Compared) -> None:
    what = " ".join(part for part in (compared.sink, compared.source, compared.stream) if part)
    if compared.skipped:
        console.print(f"{what}: not compared: {compared.skipped}.", markup=False)
    if compared.failed:
        console.print(f"{what}: could not be compared: {compared.failed}", markup=False)
        _print_hint(console, compared.hint)


def _print_state(console: Console, name: str, state: SinkState) -> None:
    if state.state == "parked":
        console.print(f"{name}: parked: {state.reason}", markup=False)
        _print_hint(console, state.hint)
    elif state.lag:
        console.print(f"{name}: {number(state.lag)} changes are on their way to it.", markup=False)


def _print_findings(console: Console, compared: Iterable[Compared], *, every: bool) -> None:
    told = [(each, finding) for each in compared for finding in each.findings]
    shown = told if every else told[:_NAMED]
    for each, finding in shown:
        console.print(_line(each, finding), markup=False, soft_wrap=True)
    for hint in dict.fromkeys(finding.hint for _, finding in shown if finding.hint):
        whys = dict.fromkeys(finding.kind.value for _, finding in shown if finding.hint == hint)
        console.print(f"{', '.join(islice(whys, 4))}: {hint}", markup=False, soft_wrap=True)
    left_out = len(told) - len(shown) + sum(each.unnamed for each in compared)
    if left_out:
        console.print(f"{number(left_out)} more: `--all` or `--json` names them.", markup=False)


def _line(compared: Compared, finding: Finding) -> str:
    why = "" if finding.why is Why.FAULT else f" ({finding.why})"
    detail = f": {finding.detail}" if finding.detail else ""
    at = f"{_where(compared)} {compared.source}/{compared.stream}"
    return f"  {at} {finding.key} {finding.kind}{why}{detail}"


def _print_hint(console: Console, hint: str) -> None:
    if hint:
        console.print(f"  what to do: {hint}", markup=False)
