"""`zimun-sync query` and `export`: the data on standard output, or in files."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from zimun_sync.cli.common import ConfigOption, load_config, number, open_store, out
from zimun_sync.errors import ConfigError, ZimunSyncError

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

    from zimun_sync.config import Config
    from zimun_sync.querying.answers import Rows

_STANDARD_INPUT = "-"


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    ARROW = "arrow"
    PARQUET = "parquet"


class ExportFormat(StrEnum):
    """How a copy is written."""

    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"


_BINARY = {Format.ARROW, Format.PARQUET}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(query)
    app.command()(export)


def query(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    sql: Annotated[str, typer.Argument(metavar="SQL", help="What to ask; - reads it from stdin.")],
    config: ConfigOption = None,
    sink: Annotated[
        str | None, typer.Option("--sink", help="The duckdb sink to ask, where there are several.")
    ] = None,
    kind: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="By default what --output ends in, else a table."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file, which is replaced as a whole.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Most rows of a table.  [default: 100]")
    ] = None,
    timezone: Annotated[
        str, typer.Option("--timezone", help="Zone in which instants are shown and cut into days.")
    ] = "UTC",
) -> None:
    """Ask the data that a duckdb sink publishes, at any time, also while the daemon writes it.

    Nothing is written but the answer. Exit code 0: answered. 1: it failed.
    2: a mistake in the SQL, the options or the configuration.
    """
    chosen = _format(kind, output)
    _refuse_limit(limit, chosen)
    statement = _statement(sql)
    settings = load_config(config)
    with _needing_libraries():
        from zimun_sync.querying import open_published, published
        from zimun_sync.querying.answers import answer
    path = published(settings, sink)
    with _ended_at_once(), open_published(path, timezone) as connection:
        rows = answer(connection, statement)
        if chosen is Format.TABLE:
            _print(rows, limit or 100)
        else:
            _write(chosen, output, rows)


@contextmanager
def _ended_at_once() -> Iterator[None]:
    """Ctrl-C ends the process: while DuckDB works, Python does not get to hear of it."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _format(kind: Format | None, output: Path | None) -> Format:
    if kind is None and output is None:
        return Format.TABLE
    ending = output.suffix.removeprefix(".") if output is not None else ""
    if kind is None and ending in set(Format) - {Format.TABLE}:
        kind = Format(ending)
    if kind is None or (output is not None and kind is Format.TABLE):
        raise ConfigError(
            f"What to write into {output} is not clear.",
            hint="Name the format: --format csv, json, jsonl, arrow or parquet.",
        )
    if output is None and kind in _BINARY and sys.stdout.isatty():
        raise ConfigError(
            f"A terminal cannot show {kind}.", hint=f"Name a file: --output answer.{kind}"
        )
    return kind


def _refuse_limit(limit: int | None, chosen: Format) -> None:
    if limit is not None and chosen is not Format.TABLE:
        raise ConfigError("--limit goes with a table.", hint="Use LIMIT in the SQL.")


def _statement(sql: str) -> str:
    return sys.stdin.read() if sql == _STANDARD_INPUT else sql


@contextmanager
def _needing_libraries() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"This command needs the Python package {error.name!r}.",
            hint="Install it: pip install 'zimun-sync[duckdb]'",
        ) from error


def _print(rows: "Rows", limit: int) -> None:
    from zimun_sync.cli.querying_view import print_rows

    console = out()
    with _standard_output() as target:
        with console.capture() as printed:
            print_rows(console, rows, limit)
        target.write(printed.get().encode())


def _write(kind: Format, output: Path | None, rows: "Rows") -> None:
    from zimun_sync.querying.formats import write

    with _target(output) as target:
        _, formulas = write(kind, target, rows)
    _note_formulas(formulas)


def _target(output: Path | None) -> "AbstractContextManager[BinaryIO]":
    if output is None:
        return _standard_output()
    from zimun_sync.querying.files import appearing

    return appearing(output)


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Standard output as bytes; a reader that has seen enough, as `head` has, ends the command."""
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends, which must find somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except OSError as error:
        raise ZimunSyncError(f"Standard output cannot be written: {error.strerror}.") from error


def _note_formulas(columns: "Collection[str]") -> None:
    if columns:
        typer.echo(
            f"note: {', '.join(sorted(columns))}: some cells begin as a formula does, and a "
            "spreadsheet would run them. Programs read them as they are; the files of a csv sink "
            "are safe to open.",
            err=True,
        )


def export(
    to: Annotated[Path, typer.Option("--to", help="The folder of the files.")],
    config: ConfigOption = None,
    kind: Annotated[ExportFormat, typer.Option("--format", "-f", help="How they are written.")] = (
        ExportFormat.CSV
    ),
    stream: Annotated[
        list[str] | None, typer.Option("--stream", help="Only this stream; repeatable.")
    ] = None,
) -> None:
    """Copy what the state holds at present into files, one a stream; nothing is pulled.

    They hold personal data, and only their owner can read them.
    """
    settings = load_config(config)
    sources = _streams(settings, stream)
    with _needing_libraries():
        from zimun_sync.querying import export as copying
    formulas: set[str] = set()
    with open_store(settings) as store:
        for made in copying.export(store, sources, to, kind, settings.streams):
            out().print(f"{made.path}  {number(made.records)}", markup=False)
            formulas |= made.formulas
    _note_formulas(formulas)


def _streams(settings: "Config", chosen: list[str] | None) -> dict[str, list[str]]:
    from zimun_sync.model import delivered

    sources = {name: delivered(each.streams) for name, each in settings.sources.items()}
    there = {name for streams in sources.values() for name in streams}
    unknown = set(chosen or []) - there
    if unknown:
        raise ConfigError(
            f"There is no stream named {min(unknown)!r} in this configuration.",
            hint=f"Those that are: {', '.join(sorted(there))}.",
        )
    wanted = set(chosen or there)
    return {name: [each for each in all_ if each in wanted] for name, all_ in sources.items()}
