"""Batches as Arrow tables and pandas frames, for sinks that write columns rather than rows."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from zimun_sync import freshness
from zimun_sync.freshness import Freshness
from zimun_sync.model import DECIMAL_PRECISION, DECIMAL_SCALE, ColumnType, Stream
from zimun_sync.omitting import omitting
from zimun_sync.sinks import Batch, StoredChange

if TYPE_CHECKING:
    import pandas as pd


def _leave_pandas_alone() -> None:
    """Let pyarrow's first conversion find no pandas, unless the process uses it already.

    It would import it only to recognize its objects, at 0.2 s and 54 MB a process. pyarrow
    looks again when something is really converted to pandas.
    """
    with omitting("pandas"):
        pa.array([0])


_leave_pandas_alone()

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.TEXT: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.DECIMAL: pa.decimal128(DECIMAL_PRECISION, DECIMAL_SCALE),
    ColumnType.INSTANT: pa.timestamp("us", "UTC"),
    ColumnType.LOCAL_TIME: pa.timestamp("us"),
    ColumnType.DATE: pa.date32(),
    ColumnType.JSON: pa.string(),
}

#: Rows that are turned into columns at a time: as Python's objects they take ten times the memory.
_AT_ONCE = 1_000

#: Stored values that Arrow's type counts in the same unit.
_COUNTS: dict[ColumnType, pa.DataType] = {
    ColumnType.INSTANT: pa.int64(),
    ColumnType.LOCAL_TIME: pa.int64(),
    ColumnType.DATE: pa.int32(),
}

#: More decimals than this are read from their text by Arrow's cast, for which it loads all its
#: functions: as long as reading 100,000 of them here.
_FEW_DECIMALS = 5_000


def _array(values: Sequence[Any], kind: ColumnType, *, few: bool) -> pa.Array:
    if kind in _COUNTS:
        return pa.array(values, _COUNTS[kind]).view(ARROW_TYPES[kind])
    if kind is not ColumnType.DECIMAL:
        return pa.array(values, ARROW_TYPES[kind])
    if not few:
        return pa.array(values, pa.string()).cast(ARROW_TYPES[kind])
    decimals = [None if value is None else Decimal(value) for value in values]
    return pa.array(decimals, ARROW_TYPES[kind])


def arrow_schema(stream: Stream) -> pa.Schema:
    """Arrow types of the stream's columns, lineage and `_hash` included.

    A promoted column tells its type in its metadata, for text and JSON are one to Arrow.
    """
    kept = [pa.field(column.name, ARROW_TYPES[column.type]) for column in stream.columns]
    told = {column.name: {"promoted": column.type.value} for column in stream.promoted}
    fields = [field.with_metadata(told.get(field.name)) for field in kept]
    return pa.schema([*fields, ("_hash", pa.string())])


def upserts_table(batch: Batch) -> pa.Table:
    """The batch's upserts: all columns of its stream, lineage last, then `_hash` (hex text)."""
    schema, few = arrow_schema(batch.stream), len(batch) <= _FEW_DECIMALS
    upserts = (change for change in batch.stored if change.row is not None)
    parts = []
    while some := list(islice(upserts, _AT_ONCE)):
        arrays = _arrays(batch, some, few=few)
        parts.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return pa.Table.from_batches(parts, schema)


def _arrays(batch: Batch, upserts: Sequence[StoredChange], *, few: bool) -> list[pa.Array]:
    seqs, _, rows, hashes, run_ids, observed_at = zip(*upserts, strict=True)
    content = zip(batch.stream.filled, zip(*rows, strict=True), strict=True)
    return [
        *(_array(values, column.type, few=few) for column, values in content),
        pa.repeat(batch.source, len(upserts)),
        pa.array(seqs, pa.int64()),
        pa.array(run_ids, pa.string()),
        _array(observed_at, ColumnType.INSTANT, few=few),
        pa.array(hashes, pa.string()),
    ]


def freshness_table(rows: Sequence[Freshness]) -> pa.Table:
    """The rows that `ShowsFreshness` is given, with the columns of `zimun_sync.freshness`."""
    schema = pa.schema(
        pa.field(column.name, ARROW_TYPES[column.type], metadata={"comment": column.comment})
        for column in freshness.COLUMNS
    )
    names = schema.names
    return pa.Table.from_pylist([dict(zip(names, r.values, strict=True)) for r in rows], schema)


def deletes_table(batch: Batch) -> pa.Table:
    """The batch's deletes: `key` (text) and `seq` (int64)."""
    gone = [head for head in batch.heads if head.deleted]
    return pa.table(
        {
            "key": pa.array([head.key for head in gone], pa.string()),
            "seq": pa.array([head.seq for head in gone], pa.int64()),
        }
    )


def upserts_frame(batch: Batch) -> "pd.DataFrame":
    """The batch's upserts as a pandas frame with Arrow-backed columns (exact decimals, UTC)."""
    import pandas as pd

    frame: pd.DataFrame = upserts_table(batch).to_pandas(types_mapper=pd.ArrowDtype)
    return frame
