"""Changes as the Arrow table that is loaded, and those no warehouse could hold."""

from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from zimun_connectors.warehouse.tables import DELETED, arrow_fields
from zimun_sync.model import ColumnType, Stream
from zimun_sync.sinks import Batch, Rejection
from zimun_sync.tables import upserts_table

#: What Arrow says of a value that it cannot take.
_UNFIT: Final = (pa.ArrowException, UnicodeError, OverflowError)


def staged(batch: Batch, table: Stream) -> tuple[pa.Table, list[Rejection]]:
    """The batch's changes as rows, upserts before deletions, and the changes that are refused.

    Args:
        batch: of the stream.
        table: the stream with every column that its table has.
    """
    kept, rejected = _fitting(batch)
    schema = arrow_fields(table)
    given = dict(zip(kept.column_names, kept.columns, strict=True))
    upserts = _rows(given | {DELETED: pa.repeat(False, len(kept))}, len(kept), schema)  # noqa: FBT003 - a value
    return pa.concat_tables([upserts, _deletions(batch, schema)]), rejected


def _rows(given: dict[str, Any], count: int, schema: pa.Schema) -> pa.Table:
    """Rows of that schema, NULL where nothing is given."""
    arrays = [given.get(field.name, pa.nulls(count, field.type)) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _deletions(batch: Batch, schema: pa.Schema) -> pa.Table:
    """Rows with nothing but the key and the mark."""
    keys = [head.key for head in batch.heads if head.deleted]
    given = {
        "_source": pa.repeat(batch.source, len(keys)),
        batch.stream.key: pa.array(keys, pa.string()),
        DELETED: pa.repeat(True, len(keys)),  # noqa: FBT003 - a value
    }
    return _rows(given, len(keys), schema)


def _fitting(batch: Batch) -> tuple[pa.Table, list[Rejection]]:
    """The upserts as a table; where a value does not fit, halved until its row stands alone."""
    try:
        return _without_nul(batch, upserts_table(batch))
    except _UNFIT:
        if len(batch) == 1:
            message = "A value does not fit its column's type."
            nothing = upserts_table(replace(batch, stored=[]))
            return nothing, [Rejection(batch.heads[0].key, "unfit-value", message)]
    middle = len(batch) // 2
    halves = (batch.stored[:middle], batch.stored[middle:])
    first, second = (_fitting(replace(batch, stored=half)) for half in halves)
    return pa.concat_tables([first[0], second[0]]), first[1] + second[1]


def _without_nul(batch: Batch, rows: pa.Table) -> tuple[pa.Table, list[Rejection]]:
    """Leave out rows with a NUL character: some warehouses refuse it, some drop it silently."""
    bad = pa.repeat(False, len(rows))  # noqa: FBT003 - a value
    for column in batch.stream.columns:
        if column.type in (ColumnType.TEXT, ColumnType.JSON):
            found = pc.match_substring(rows[column.name], "\0")
            bad = pc.or_(bad, pc.fill_null(found, fill_value=False))
    if not pc.any(bad).as_py():
        return rows, []
    keys = rows.filter(bad)[batch.stream.key].to_pylist()
    message = "Not every warehouse stores text with a NUL character."
    return rows.filter(pc.invert(bad)), [Rejection(key, "nul-character", message) for key in keys]
