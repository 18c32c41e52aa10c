"""`zimun-sync quarantine`: what could not be taken, why, and what to do with it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zimun_sync.cli.common import (
    ConfigOption,
    JsonOption,
    iso,
    load_config,
    moment,
    open_store,
    out,
    print_json,
)
from zimun_sync.errors import ConfigError

if TYPE_CHECKING:
    from zimun_sync.store import Entry, Store

app = typer.Typer(
    help="Records that could not be taken: list, show, retry, drop.", no_args_is_help=True
)
NumberArgument = Annotated[int, typer.Argument(help="The entry's number in `quarantine list`.")]


@app.command("list")
def list_entries(
    config: ConfigOption = None,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    sink: Annotated[str | None, typer.Option(help="Only rejections by this sink.")] = None,
    json: JsonOption = False,
) -> None:
    """List the open entries, the oldest first."""
    with open_store(load_config(config)) as store:
        entries = store.quarantine.entries(source=source, sink=sink)
    if json:
        print_json([_json(entry) for entry in entries])
    elif entries:
        _print(entries)
    else:
        out().print("Nothing is in quarantine.")


@app.command()
def show(entry: NumberArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show one entry with the record's bytes: they may hold personal data."""
    with open_store(load_config(config)) as store:
        found = store.quarantine.entry(entry)
    if json:
        print_json(_json(found) | {"raw": _raw(found)})
        return
    console = out()
    for name, value in _json(found).items():
        console.print(f"{name:>9}: {value}", markup=False)
    if found.raw is not None:
        console.print(_raw(found), markup=False)


@app.command()
def retry(
    entry: Annotated[int | None, typer.Argument(help="The entry's number.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every open entry.")] = False,
    config: ConfigOption = None,
) -> None:
    """Offer records again: they are taken up by the next sync."""
    with open_store(load_config(config)) as store:
        numbers = _chosen(store, entry, everything=everything)
        for number in numbers:
            store.quarantine.mark(number, "retry")
    out().print(f"{len(numbers)} marked. They are tried again by the next `zimun-sync sync`.")


@app.command()
def drop(entry: NumberArgument, config: ConfigOption = None) -> None:
    """Give a record up as it is; it comes back only if the source changes it."""
    with open_store(load_config(config)) as store:
        store.quarantine.mark(entry, "dropped")
    out().print(f"Entry {entry} is dropped.")


def _chosen(store: "Store", entry: int | None, *, everything: bool) -> list[int]:
    if (entry is None) is not everything:
        raise ConfigError("Name one entry, or give --all.", hint="zimun-sync quarantine list")
    return [each.id for each in store.quarantine.entries()] if entry is None else [entry]


def _json(entry: "Entry") -> dict[str, Any]:
    from msgspec.structs import asdict

    content = asdict(entry)
    del content["raw"], content["content"]
    content["sink"] = entry.sink or None
    return content | {"first_at": iso(entry.first_at), "last_at": iso(entry.last_at)}


def _raw(entry: "Entry") -> str | None:
    return None if entry.raw is None else entry.raw.decode(errors="backslashreplace")


def _print(entries: "list[Entry]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("entry", "where", "key", "code", "what is wrong", "since"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        where = f"{entry.source}/{entry.stream}" + (f" → {entry.sink}" if entry.sink else "")
        key = entry.key if len(entry.key) <= 24 else f"{entry.key[:21]}…"  # noqa: PLR2004 - fits
        since = moment(entry.first_at)
        table.add_row(str(entry.id), where, key, entry.code, entry.message, since)
    out().print(table)
