"""The streams as dlt's tables: names, types, keys, and the column that marks deletions."""

from collections.abc import Iterable
from typing import Any, Final, cast

import dlt
import pyarrow as pa
from dlt.common.schema.typing import TColumnSchema, TTableSchema
from dlt.common.schema.utils import new_table

from zimun_sync.errors import SinkBroken
from zimun_sync.model import DECIMAL_PRECISION, DECIMAL_SCALE, Column, ColumnType, Stream
from zimun_sync.tables import ARROW_TYPES

#: Name of dlt's pipeline and of its schema.
NAME: Final = "zimun_sync"

#: Name of dlt's schema of all tables at once, which makes them.
ALL: Final = f"{NAME}_tables"

#: The table that says whose the dataset is.
CLAIM: Final = "_zimun_sync"

#: True in a row that is on its way to delete another; false in every row that arrived.
DELETED: Final = "_deleted"

_MICROSECONDS: Final = 6

#: JSON is text: BigQuery takes none from Parquet, and Snowflake makes strings of it.
_TYPES: Final[dict[ColumnType, dict[str, Any]]] = {
    ColumnType.TEXT: {"data_type": "text"},
    ColumnType.INTEGER: {"data_type": "bigint"},
    ColumnType.BOOLEAN: {"data_type": "bool"},
    ColumnType.DECIMAL: {
        "data_type": "decimal",
        "precision": DECIMAL_PRECISION,
        "scale": DECIMAL_SCALE,
    },
    ColumnType.INSTANT: {"data_type": "timestamp", "timezone": True, "precision": _MICROSECONDS},
    ColumnType.LOCAL_TIME: {
        "data_type": "timestamp",
        "timezone": False,
        "precision": _MICROSECONDS,
    },
    ColumnType.DATE: {"data_type": "date"},
    ColumnType.JSON: {"data_type": "text"},
}


def arrow_fields(stream: Stream) -> pa.Schema:
    """Arrow types of the stream's table."""
    fields = [(column.name, ARROW_TYPES[column.type]) for column in stream.columns]
    return pa.schema([*fields, ("_hash", pa.string()), (DELETED, pa.bool_())])


def columns(stream: Stream) -> list[TColumnSchema]:
    """The columns of the stream's table, with all that dlt may know of them."""
    key = ("_source", stream.key)
    found = [
        _column(c.name, c.comment, _TYPES[c.type], is_key=c.name in key) for c in stream.columns
    ]
    digest = "Hash of the row's content, lineage excluded."
    found.append(_column("_hash", digest, _TYPES[ColumnType.TEXT]))
    deletion = _TYPES[ColumnType.BOOLEAN] | {"hard_delete": True}
    found.append(_column(DELETED, "False in every row; part of how rows are deleted.", deletion))
    return found


def columns_of(kept: Iterable[Column]) -> list[TColumnSchema]:
    """The columns of a table of the sink's own, which has no key."""
    return [_column(c.name, c.comment, _TYPES[c.type]) for c in kept]


def _column(
    name: str, comment: str, kind: dict[str, Any], *, is_key: bool = False
) -> TColumnSchema:
    column: TColumnSchema = {"name": name, "description": comment, "nullable": not is_key}
    column.update(cast("TColumnSchema", kind))
    if is_key:
        column["primary_key"] = True
    return column


def _table(stream: Stream, hints: dict[str, Any]) -> TTableSchema:
    made: Any = new_table(stream.name, columns=columns(stream), write_disposition="merge")
    made |= hints
    return made  # type: ignore[no-any-return] # hints of dlt's that its type does not name


def schema(name: str, streams: Iterable[Stream], hints: dict[str, Any]) -> dlt.Schema:
    """Some streams' tables. The fewer, the faster dlt is: it copies and hashes them at every step.

    Args:
        name: of the schema.
        streams: in the columns they have now.
        hints: how rows are merged and in which format they lie.

    Raises:
        SinkBroken: dlt would change the name of a column.
    """
    made = dlt.Schema(name)
    for stream in streams:
        _refuse_changed_names(made, stream)
        made.update_table(_table(stream, hints))
    return made


def _refuse_changed_names(known: dlt.Schema, stream: Stream) -> None:
    """Make sure that every name stays what it is: a reader looks for it.

    Raises:
        SinkBroken: dlt would change one, such as that of a promoted field in capitals.
    """
    for column in stream.columns:
        becomes = known.naming.normalize_identifier(column.name)
        if becomes != column.name:
            raise SinkBroken(
                f"Warehouses cannot have a column {column.name!r} in {stream.name!r}; it would "
                f"become {becomes!r}.",
                hint="Promote that field under a name of small letters, digits and single "
                "underscores, or leave it in `extra`.",
            )
