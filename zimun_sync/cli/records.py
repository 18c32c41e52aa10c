"""`zimun-sync record`: what is known of one record."""

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
    from zimun_sync.config import Config
    from zimun_sync.model import Stream
    from zimun_sync.store import Version


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(record)


def record(
    key: Annotated[str, typer.Argument(help="The record's key, such as an appointment's id.")],
    stream: Annotated[str, typer.Option(help="Its stream.")] = "appointments",
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="Its source, where there are several.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show what is known of one record, and what it was before: this is personal data.

    The present version comes first; one that is gone from the source has its `deleted_at`.
    """
    settings = load_config(config)
    name = _source(settings, source)
    _refuse_unknown_stream(stream)
    with open_store(settings) as store:
        versions = store.versions.of(name, stream, key)
    if not versions:
        raise ConfigError(
            f"Source {name} never had a record {key!r} among its {stream}.",
            hint="Keys are told exactly as the source spells them.",
        )
    shape = settings.streams[stream]
    if json:
        print_json([_json(shape, version) for version in versions])
    else:
        _print(shape, versions)


def _source(settings: "Config", name: str | None) -> str:
    known = list(settings.sources)
    if name is None and len(known) == 1:
        return known[0]
    if name in known:
        return str(name)
    said = "There are several sources." if name is None else f"There is no source named {name!r}."
    raise ConfigError(said, hint=f"Name one with --source: {', '.join(known)}.")


def _refuse_unknown_stream(stream: str) -> None:
    from zimun_sync.model import STREAMS

    if stream not in STREAMS:
        raise ConfigError(
            f"There is no stream {stream!r}.", hint=f"The streams are {', '.join(STREAMS)}."
        )


def _json(stream: "Stream", version: "Version") -> dict[str, Any]:
    return {
        "stands": version.stands,
        "deleted": version.deleted,
        "version": iso(version.version),
        "observed_at": iso(version.observed_at),
        "superseded_at": iso(version.superseded_at),
        "run_id": version.run_id,
        "row": _row(stream, version),
    }


def _row(stream: "Stream", version: "Version") -> dict[str, Any]:
    from zimun_sync.model import to_python
    from zimun_sync.promoting import filled

    values = {
        column.name: to_python(value, column.type)
        for column, value in zip(stream.filled, filled(stream, version.row), strict=True)
    }
    plain = (str, int, bool, type(None))
    return {
        name: value if isinstance(value, plain) else str(value) for name, value in values.items()
    }


def _print(stream: "Stream", versions: "list[Version]") -> None:
    from rich.table import Table

    rows = [_row(stream, version) for version in versions]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for version in versions:
        since = moment(version.observed_at)
        table.add_column(f"since {since}" if version.stands else f"learnt {since}", overflow="fold")
    table.add_row("learnt from", *(version.run_id for version in versions))
    for name in rows[0]:
        values = [row[name] for row in rows]
        if any(value is not None for value in values):
            table.add_row(name, *("" if value is None else str(value) for value in values))
    out().print(table)
