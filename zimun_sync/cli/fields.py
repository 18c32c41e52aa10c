"""`zimun-sync fields`: fields of the source that no column is made of by itself."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from zimun_sync.config import Config
    from zimun_sync.store import KnownField


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(fields)


def fields(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the source's fields that have no column of their own, and the lines that give them one.

    They are part of the column `extra` until they are promoted. Nothing of their content is shown.
    """
    settings = load_config(config)
    with open_store(settings) as store:
        found = [each for each in store.fields.all() if each.source in settings.sources]
    if json:
        print_json([_json(settings, each) for each in found])
    elif found:
        _print(settings, found)
    else:
        out().print("Every field that the sources gave so far has a column.")


def _json(settings: "Config", field: "KnownField") -> dict[str, Any]:
    return {
        "source": field.source,
        "stream": field.stream,
        "field": field.field,
        "json_types": list(field.json_types),
        "suggested": str(field.suggested),
        "since": iso(field.first_at),
        "column": _column(settings, field),
    }


def _column(settings: "Config", field: "KnownField") -> str | None:
    """The column that the configuration makes of it."""
    promotions = settings.sources[field.source].promote.get(field.stream, {})
    return next((name for name, each in promotions.items() if each.field == field.field), None)


def _print(settings: "Config", found: "list[KnownField]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("source", "stream", "field", "JSON type", "since", "column"):
        table.add_column(name, overflow="fold")
    for each in found:
        types = " or ".join(each.json_types)
        column = _column(settings, each) or "(extra)"
        cells = (each.source, each.stream, each.field, types, moment(each.first_at), column)
        table.add_row(*cells)
    console = out()
    console.print(table, markup=False)
    left = [each for each in found if _column(settings, each) is None]
    if left:
        console.print("\nTo make columns of them, take what you need of this:\n")
        console.print(_lines(settings, left), markup=False, soft_wrap=True)


def _lines(settings: "Config", found: "Iterable[KnownField]") -> str:
    """What a configuration has to say to promote the fields."""
    import yaml

    sources: dict[str, Any] = {}
    for each in found:
        streams = sources.setdefault(each.source, {"promote": {}})["promote"]
        columns = streams.setdefault(each.stream, {})
        there = settings.sources[each.source].promote.get(each.stream, {})
        name, promotion = _promotion(each, {*columns, *there})
        columns[name] = promotion
    return yaml.safe_dump({"sources": sources}, sort_keys=False, allow_unicode=True).rstrip()


def _promotion(field: "KnownField", others: set[str]) -> tuple[str, Any]:
    from zimun_sync.config.promotions import free_name

    kind = str(field.suggested)
    name = free_name(field.stream, field.field, others)
    return name, kind if name == field.field else {"field": field.field, "type": kind}
