"""The demo: a made-up business, two syncs with changes in between, a query, the files."""

import os
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console
from rich.table import Table

from zimun_sync.cli.common import open_store, out
from zimun_sync.cli.display import shown
from zimun_sync.cli.summary import print_report
from zimun_sync.cli.syncing import run_sync
from zimun_sync.config import Config, load
from zimun_sync.errors import ConfigError
from zimun_sync.sandbox import Sandbox, SandboxOptions
from zimun_sync.zimun import ZimunClient
from zimun_sync.zimun.settings import StreamName

if TYPE_CHECKING:
    from zimun_sync.zimun import Appointment

_CONFIG = """\
# Written by `zimun-sync demo`. The sandbox it talks to runs only while the demo does.
state: sqlite:///state.db
sources:
  main:
    base_url: {base_url}
    client_id: "${{ZIMUN_CLIENT_ID}}"
    client_secret: "${{ZIMUN_CLIENT_SECRET}}"
    streams: [{streams}]
sinks:
  analytics: {{type: duckdb, path: zimun.duckdb}}
  files: {{type: csv, path: csv}}
"""
_QUERY = """\
SELECT l.name AS location, count(*) AS bookings,
       count(*) FILTER (a.status = 'cancelled') AS cancelled,
       count(*) FILTER (a.status = 'no_show') AS no_shows,
       round(sum(a.duration_minutes) / 60)::INT AS hours,
       sum(a.price_amount)::DECIMAL(18, 2) AS revenue,
       any_value(a.price_currency) AS currency
FROM appointments a JOIN locations l USING (_source, location_id)
GROUP BY l.name ORDER BY l.name"""


def run(folder: Path, appointments: int) -> None:
    """Play the demo in `folder`.

    Raises:
        ConfigError: the folder holds something else.
    """
    console = out()
    with Sandbox(SandboxOptions(appointments=appointments)) as sandbox:
        _title(console, f"A made-up business with {appointments:,} appointments")
        console.print(f"Its API, the sandbox, listens on {sandbox.base_url}", markup=False)
        config = _configure(folder, sandbox)
        _title(console, "First sync: everything is new")
        _sync(console, config)
        _title(console, "Customers call: two appointments are moved, three cancelled")
        _change(console, config)
        _title(console, "Second sync: only what changed is written")
        _sync(console, config)
    _title(console, "What an analyst sees in DuckDB")
    _ask(console, folder / "zimun.duckdb")
    _title(console, "Where the files lie")
    _show_files(console, folder)


def _title(console: Console, text: str) -> None:
    console.print()
    console.rule(f"[bold]{text}[/]", align="left")


def _configure(folder: Path, sandbox: Sandbox) -> Config:
    """A configuration for this demo; an earlier demo's data there is continued on its own state."""
    file = folder / "zimun-sync.yaml"
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(
            f"The folder {folder} is not empty.",
            hint=f"Remove it (rm -r {folder}), or name another one with --folder.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    text = _CONFIG.format(base_url=sandbox.base_url, streams=", ".join(get_args(StreamName)))
    file.write_text(text, encoding="utf-8")
    secrets = {
        "ZIMUN_CLIENT_ID": sandbox.client_id,
        "ZIMUN_CLIENT_SECRET": sandbox.client_secret,
    }
    return load(file, os.environ | secrets)


def _sync(console: Console, config: Config) -> None:
    began = time.monotonic()
    with shown(Console(stderr=True)) as display, open_store(config) as store:
        report = run_sync(config, store, list(config.sources), display)
    print_report(console, report, time.monotonic() - began)


def _change(console: Console, config: Config) -> None:
    with ZimunClient(config.sources["main"]) as client:
        open_ones = (each for each in client.appointments() if _can_change(each))
        chosen = list(islice(open_ones, 5))
        for each in chosen[:2]:
            moved = _move(client, each)
            console.print(f"  {each.appointment_id} moved to {moved}", markup=False)
        for each in chosen[2:]:
            client.cancel(each.appointment_id)
            console.print(f"  {each.appointment_id} cancelled", markup=False)


def _can_change(appointment: "Appointment") -> bool:
    return appointment.status in {"confirmed", "scheduled"} and appointment.service_id is not None


def _move(client: ZimunClient, appointment: "Appointment") -> str:
    """Move an appointment to the last slot that its service still has free."""
    slots = client.availability(
        appointment.service_id or "",
        days_ahead=7,
        staff_id=appointment.staff_id,
        location_id=appointment.location_id,
    ).slots
    client.reschedule(appointment.appointment_id, slots[-1].time)
    return slots[-1].time.isoformat(" ", "minutes")


def _ask(console: Console, database: Path) -> None:
    import duckdb

    console.print(f"$ duckdb -readonly {database}\n{_QUERY}", style="dim", markup=False)
    with duckdb.connect(database, read_only=True) as connection:
        answer = connection.execute(_QUERY)
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, *_ in answer.description or ():
            table.add_column(name, no_wrap=True)
        for row in answer.fetchall():
            table.add_row(*("" if value is None else str(value) for value in row))
    console.print(table)


def _show_files(console: Console, folder: Path) -> None:
    notes = {
        "zimun.duckdb": "open this in DuckDB or a BI tool, at any time",
        "zimun.data": "the data behind it; belongs to the daemon",
        "csv": "one file a stream, for spreadsheets",
        "state.db": "checkpoints and the change feed",
        "zimun-sync.yaml": "the configuration",
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, note in notes.items():
        table.add_row(f"  {folder / name}", note)
    console.print(table)
