"""An answer as a table for people; one record below the other where the terminal is too narrow."""

import re
from collections.abc import Sequence

import pyarrow as pa
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from zimun_sync.cli.common import number
from zimun_sync.querying.answers import Rows
from zimun_sync.querying.values import texts

#: What a terminal would obey instead of show, and what turns the direction of text: a customer
#: may have typed it.
_OBEYED = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]")
_NUMERIC = (pa.types.is_integer, pa.types.is_decimal, pa.types.is_floating)


def print_rows(console: Console, rows: Rows, limit: int) -> None:
    """Print the first rows, and how many there are.

    Args:
        console: standard output.
        rows: read as far as needed.
        limit: most rows to print.
    """
    found = _first(rows, limit + 1)
    shown, more = found[:limit], len(found) > limit
    table = _table(rows.schema, shown)
    width = Measurement.get(console, console.options.update(width=1_000_000), table).maximum
    if not console.is_terminal:
        console.width = max(width, console.width)  # a file or a pipe has no edge
    if width <= console.width:
        console.print(table)
    else:
        _print_records(console, rows.schema.names, shown)
    console.print(_count(len(shown), more=more), style="dim")


def _first(rows: Rows, most: int) -> list[tuple[str | None, ...]]:
    found: list[tuple[str | None, ...]] = []
    for batch in rows.batches:
        part = batch.slice(0, most - len(found))
        found.extend(zip(*(texts(column) for column in part.columns), strict=True))
        if len(found) >= most:
            break
    return found


def _count(shown: int, *, more: bool) -> str:
    rows = "1 row" if shown == 1 else f"{number(shown)} rows"
    return f"{rows}, and there are more: --limit N, or all with --format csv" if more else rows


def _table(schema: pa.Schema, shown: Sequence[tuple[str | None, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for field in schema:
        right = any(test(field.type) for test in _NUMERIC)
        header = Text(_printable(field.name))
        table.add_column(header, no_wrap=True, justify="right" if right else "left")
    for row in shown:
        table.add_row(*(_cell(value) for value in row))
    return table


def _print_records(
    console: Console, names: Sequence[str], shown: Sequence[tuple[str | None, ...]]
) -> None:
    for place, row in enumerate(shown, start=1):
        console.print(Text(f"row {number(place)}", "bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            grid.add_row(Text(_printable(name), "dim"), _cell(value))
        console.print(grid)


def _cell(value: str | None) -> Text:
    return Text("NULL", "dim italic") if value is None else Text(_printable(value))


def _printable(text: str) -> str:
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
