"""Promoted fields in stored rows: values of columns that a configuration adds to a stream's own.

A stored row holds its stream's content columns. Where the record has values of promoted fields
it ends with one mapping more, `{column: entry}`, so that a row without any is the same whether
something is promoted or not. An entry tells the type that its value was stored as: it never
serves a column that has got another type since.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from zimun_sync.model import Column, ColumnType, Row, Stream

_PROMOTED: Final = "Promoted: "
_NONE: Final[Mapping[str, Any]] = {}


class Entry(NamedTuple):
    """A promoted value in a stored row.

    Args:
        type: how the value is held.
        value: as `ColumnType` says; a record without a value has no entry.
        field: the source's name of it.
    """

    type: ColumnType
    value: Any
    field: str


def promoted_column(name: str, kind: ColumnType, fields: Sequence[str]) -> Column:
    """A promoted column as sinks get it.

    What a field that nobody knows holds is not known either: it counts as personal.

    Args:
        name: the column's name.
        kind: its type.
        fields: what sources call it.
    """
    told = " or ".join(f"`{field}`" for field in fields)
    return Column(name, kind, f"{_PROMOTED}the source's field {told} ({kind}).", personal=True)


def retired_comment(comment: str) -> str:
    """The comment of a column that is no longer promoted, made of the one it had."""
    return f"{_PROMOTED}no more, and empty {comment[comment.rindex('(') :]}"


def was_promoted(comment: str | None) -> bool:
    """Whether a column that has this comment was promoted, and may go or change its type."""
    return comment is not None and comment.startswith(_PROMOTED)


def had_type(comment: str, kind: ColumnType) -> bool:
    """Whether a promoted column with this comment has that type."""
    return comment.endswith(f"({kind}).")


def entries_of(stream: Stream, row: Row) -> dict[str, Entry]:
    """The promoted values at the end of a stored row, by column."""
    found = row[len(stream.content)] if _is_stored(stream, row) else _NONE
    return {column: Entry(ColumnType(kind), *rest) for column, (kind, *rest) in found.items()}


def filled(stream: Stream, row: Row) -> Row:
    """A row as sinks get it: one value for each of `stream.filled`; such a row stays as it is."""
    if len(row) == len(stream.filled) and not _is_stored(stream, row):
        return row
    return (*row[: len(stream.content)], *filled_values(stream, row))


def hash_of_filled(stream: Stream, row: Row, content_hash: str) -> str:
    """The hash of a stored row as sinks get it: with other promoted columns it is another row.

    Args:
        stream: with its promoted columns.
        row: as the store holds it.
        content_hash: of that, 32 hex digits.
    """
    if not _is_stored(stream, row):
        return content_hash
    shown = zip((each.name for each in stream.promoted), filled_values(stream, row), strict=True)
    mixed = f"{content_hash}|{[each for each in shown if each[1] is not None]!r}"
    return blake2b(mixed.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def filled_values(stream: Stream, row: Row) -> tuple[Any, ...]:
    """The values of the promoted columns in a stored row."""
    found = row[len(stream.content)] if _is_stored(stream, row) else _NONE
    return tuple(_value(found.get(column.name), column.type) for column in stream.promoted)


def _is_stored(stream: Stream, row: Row) -> bool:
    """Whether entries follow the content; no value that a sink gets is a mapping."""
    width = len(stream.content)
    return len(row) > width and type(row[width]) is dict


def _value(entry: Any, kind: ColumnType) -> Any:
    return entry[1] if entry is not None and entry[0] == kind else None
