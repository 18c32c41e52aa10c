"""How sinks stand with the systems they write to, for people and for programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from zimun_sync.cli.common import moment, number
from zimun_sync.cli.status_view import STYLES, behind
from zimun_sync.cli.tallies import tally_lines
from zimun_sync.config import Config
from zimun_sync.ids import Activation
from zimun_sync.model import to_micros
from zimun_sync.pipeline.activating import Announcement
from zimun_sync.pipeline.consent import lacks_consent
from zimun_sync.pipeline.offering import versions_of
from zimun_sync.sinks import NeedsActivation, Sink
from zimun_sync.status import SinkStatus, Snapshot, notice_json, take
from zimun_sync.store import Notice, Store
from zimun_sync.wiring import build_sinks


@dataclass(frozen=True, slots=True)
class Standing:
    """One sink.

    Args:
        status: how its delivery stands.
        snapshot: what that was read with.
        needs_activation: whether it writes only with a person's consent.
        activation: the consent, as long as it covers what is configured.
        account: the remote account that its ids belong to.
        remembered: how many remote objects it remembers, by kind and state.
        hidden: the policy of each column that it is not shown as it is, by stream and column.
    """

    status: SinkStatus
    snapshot: Snapshot
    needs_activation: bool
    activation: Activation | None
    account: str | None
    remembered: dict[str, dict[str, int]]
    hidden: Mapping[str, Mapping[str, str]]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        status, parked, activation = self.status, self.status.parked, self.activation
        starts_from = None if activation is None else activation.starts_from
        return {
            "type": status.type,
            "state": status.state,
            "lag": {"changes": status.lag_changes},
            "reason": None if parked is None else parked.reason,
            "hint": None if parked is None else parked.hint,
            "account": self.account,
            "needs_activation": self.needs_activation,
            "activated_at": None if activation is None else activation.at.isoformat(),
            "starts_from": None if starts_from is None else starts_from.isoformat(),
            "remembered": self.remembered,
            "hidden": self.hidden,
            "notices": [notice_json(each) for each in status.notices],
        }


def standings(settings: Config, store: Store) -> dict[str, Standing]:
    """Every configured sink by name."""
    sinks = build_sinks(settings)
    snapshot = take(store, settings, versions=versions_of(sinks, settings.guards))
    return {
        name: Standing(
            status=snapshot.sinks[name],
            snapshot=snapshot,
            needs_activation=isinstance(sink, NeedsActivation),
            activation=_consent(store, name, sink),
            account=store.memory(name).account(),
            remembered=store.overview.remembered(name),
            hidden=settings.guards[name].hidden,
        )
        for name, sink in sinks.items()
    }


def _consent(store: Store, name: str, sink: Sink) -> Activation | None:
    return None if lacks_consent(store, name, sink) else store.activations.of(name)


def print_sinks(console: Console, found: dict[str, Standing]) -> None:
    """A table of sinks."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("sink", "type", "state", "behind", "account", "active since", "remembers"):
        table.add_column(column, overflow="fold")
    table.add_column("notices", justify="right")
    for name, each in found.items():
        table.add_row(
            Text(name, "bold"),
            each.status.type,
            Text(each.status.state, STYLES[each.status.state]),
            behind(each.snapshot, each.status),
            each.account or "",
            _active_since(each),
            _remembered(each),
            number(len(each.status.notices)) if each.status.notices else "",
        )
    console.print(table)


def print_sink(console: Console, name: str, each: Standing) -> None:
    """One sink with its notices."""
    parked = each.status.parked
    rows = [
        ("sink", name),
        ("type", each.status.type),
        ("state", each.status.state + (f": {parked.reason}" if parked else "")),
        ("to do", parked.hint if parked else ""),
        ("behind", behind(each.snapshot, each.status)),
        ("account", each.account or ""),
        ("active", _active_since(each)),
        ("from", _starts_from(each.activation)),
        ("remembers", _remembered(each)),
    ]
    for label, text in rows:
        if text:
            console.print(f"{label:>9}: {text}", markup=False)
    for stream, columns in each.hidden.items():
        told = ", ".join(f"{name} {policy}" for name, policy in columns.items())
        console.print(f"{'hidden':>9}: {stream}: {told}", markup=False)
    if each.status.notices:
        console.print()
        console.print(_notices(each.status.notices))


def _notices(notices: tuple[Notice, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("noticed", "about", "what", "times", "last"):
        table.add_column(column, overflow="fold")
    for each in notices:
        table.add_row(
            each.code, each.subject, each.message, number(each.count), moment(each.last_at)
        )
    return table


def _active_since(each: Standing) -> str:
    if not each.needs_activation:
        return "the first sync"
    return "not active" if each.activation is None else moment(to_micros(each.activation.at))


def _starts_from(activation: Activation | None) -> str:
    if activation is None:
        return ""
    if activation.starts_from is None:
        return "all appointments"
    return f"appointments that start from {moment(to_micros(activation.starts_from))} on"


def _remembered(each: Standing) -> str:
    return ", ".join(
        f"{number(count)} {kind}s {state}"
        for kind, states in sorted(each.remembered.items(), reverse=True)
        for state, count in sorted(states.items())
    )


def print_announcement(console: Console, announcement: Announcement) -> None:
    """What a sink would write once it is activated."""
    where = f" in account {announcement.account}" if announcement.account else ""
    console.print(f"Sink {announcement.sink} would do this{where}:", markup=False)
    for line in tally_lines(announcement.tally):
        console.print(f"  {line}", markup=False)
    console.print(f"It sends {_starts_from(announcement.activation)}.", markup=False)
    if not announcement.tally.changes:
        console.print(
            "Nothing is waiting for it. Before the first `zimun-sync sync` nothing is stored yet.",
            style="yellow",
            markup=False,
        )
