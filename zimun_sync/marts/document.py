"""Writes the data dictionary: `python -m zimun_sync.marts.document`.

Run at the project's root after changing a stream, a view or what one of them means; a test holds
`docs/data-dictionary.md` up to date, and true of what the databases show.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from zimun_sync import freshness
from zimun_sync.marts.descriptions import Meaning, Relation
from zimun_sync.marts.render import models
from zimun_sync.marts.streams import stream_comment
from zimun_sync.model import STREAMS, Column, ColumnType

PAGE_FILE: Final = Path("docs/data-dictionary.md")

#: SQL's words for the types of a stream's columns.
TYPES: Final = {
    ColumnType.TEXT: "text",
    ColumnType.INTEGER: "bigint",
    ColumnType.BOOLEAN: "boolean",
    ColumnType.DECIMAL: "numeric",
    ColumnType.INSTANT: "timestamptz",
    ColumnType.LOCAL_TIME: "timestamp",
    ColumnType.DATE: "date",
    ColumnType.JSON: "json",
}

_GENERATED: Final = re.compile(
    r"(?<=<!-- generated: begin -->\n).*(?=<!-- generated: end -->)", re.DOTALL
)


def relations() -> tuple[tuple[Relation, ...], tuple[Relation, ...]]:
    """The views of the model, and the tables of the streams with `freshness`."""
    views = sorted((model.relation for model in models()), key=lambda view: view.name)
    streams = [
        _table(stream.name, stream_comment(stream), stream.columns) for stream in STREAMS.values()
    ]
    age = _table(freshness.TABLE, freshness.ABOUT, freshness.COLUMNS)
    return tuple(views), (*sorted(streams, key=lambda table: table.name), age)


def _table(name: str, comment: str, columns: Iterable[Column]) -> Relation:
    meanings = (Meaning(each.name, TYPES[each.type], each.comment) for each in columns)
    return Relation(name, comment, tuple(meanings))


def page(present: str) -> str:
    """The page with its tables renewed."""
    views, tables = relations()
    lines = ["", "## Views", *_chapters(views), "## Tables", *_chapters(tables), ""]
    return _GENERATED.sub(lambda _: "\n".join(lines), present)


def _chapters(found: Iterable[Relation]) -> Iterator[str]:
    for relation in found:
        yield f"\n### `{relation.name}`\n\n{relation.comment}\n"
        yield "| column | type | meaning |\n|---|---|---|"
        for column in relation.columns:
            yield f"| `{column.name}` | {column.type} | {_cell(column.comment)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write the page, relative to the current folder."""
    PAGE_FILE.write_text(page(PAGE_FILE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":  # pragma: no cover - the whole of the module's command
    main()
