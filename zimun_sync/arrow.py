"""A batch's rows as Arrow tables, made without pyarrow.

DuckDB and pyarrow read them where they are, by Arrow's PyCapsule interface, as other libraries
can that know it. A process that only passes rows on is spared 0.1 s and 40 MB of pyarrow by arro3
(docs/adr/0015-arro3.md); `zimun_sync.tables` has the same rows as pyarrow's tables.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from arro3.core import Array, DataType, Field, RecordBatch, Schema, Table

from zimun_sync.model import DECIMAL_PRECISION, DECIMAL_SCALE, ColumnType, Stream
from zimun_sync.sinks import Batch, StoredChange

TYPES: dict[ColumnType, DataType] = {
    ColumnType.TEXT: DataType.string(),
    ColumnType.INTEGER: DataType.int64(),
    ColumnType.BOOLEAN: DataType.bool(),
    ColumnType.DECIMAL: DataType.decimal128(DECIMAL_PRECISION, DECIMAL_SCALE),
    ColumnType.INSTANT: DataType.timestamp("us", tz="UTC"),
    ColumnType.LOCAL_TIME: DataType.timestamp("us"),
    ColumnType.DATE: DataType.date32(),
    ColumnType.JSON: DataType.string(),
}

#: What a stored value is to Arrow, where that is not the column's type yet.
_STORED: dict[ColumnType, DataType] = {
    ColumnType.DECIMAL: DataType.string(),
    ColumnType.INSTANT: DataType.int64(),
    ColumnType.LOCAL_TIME: DataType.int64(),
    ColumnType.DATE: DataType.int32(),
}

#: Rows that are turned into columns at a time: as Python's objects they take ten times the memory.
_AT_ONCE = 1_000


def schema(stream: Stream) -> Schema:
    """Arrow types of the stream's columns, lineage and `_hash` (hex text) included.

    A promoted column tells its type in its metadata, for text and JSON are one to Arrow.
    """
    told = {column.name: {"promoted": column.type.value} for column in stream.promoted}
    fields = [Field(c.name, TYPES[c.type], metadata=told.get(c.name)) for c in stream.columns]
    return Schema([*fields, Field("_hash", DataType.string())])


def upserts(batch: Batch) -> Table:
    """The batch's upserts: all columns of its stream, lineage last, then `_hash` (hex text)."""
    types = schema(batch.stream)
    present = (change for change in batch.stored if change.row is not None)
    parts = []
    while some := list(islice(present, _AT_ONCE)):
        parts.append(RecordBatch.from_arrays(_arrays(batch, some), schema=types))
    return Table.from_batches(parts, schema=types)


def deletes(batch: Batch) -> Table:
    """The batch's deletes: `key` (text) and `seq` (int64)."""
    gone = [head for head in batch.heads if head.deleted]
    return Table.from_pydict(
        {
            "key": Array([head.key for head in gone], DataType.string()),
            "seq": Array([head.seq for head in gone], DataType.int64()),
        }
    )


def texts(values: Sequence[Any], kind: ColumnType) -> list[str | None]:
    """A column of stored values as text: dates and times as ISO 8601 has them.

    Times have as many digits of a second as they need: none, three or six.
    """
    return list(_array(values, kind).cast(TYPES[ColumnType.TEXT]).to_pylist())


def _arrays(batch: Batch, changes: Sequence[StoredChange]) -> list[Array]:
    seqs, _, rows, hashes, run_ids, observed_at = zip(*changes, strict=True)
    content = zip(batch.stream.filled, zip(*rows, strict=True), strict=True)
    return [
        *(_array(values, column.type) for column, values in content),
        _array([batch.source] * len(changes), ColumnType.TEXT),
        _array(seqs, ColumnType.INTEGER),
        _array(run_ids, ColumnType.TEXT),
        _array(observed_at, ColumnType.INSTANT),
        _array(hashes, ColumnType.TEXT),
    ]


def _array(values: Sequence[Any], kind: ColumnType) -> Array:
    if kind not in _STORED:
        return Array(values, TYPES[kind])
    stored = Array(values, _STORED[kind])
    array = stored.cast(TYPES[kind])
    if kind is ColumnType.DECIMAL:
        _refuse_others(values, array)
    return array


def _refuse_others(texts: Sequence[str | None], decimals: Array) -> None:
    """Raise ValueError if the cast left one empty or rounded it: it does both without a word."""
    too_fine = (text for text in texts if text and "." in text[: -DECIMAL_SCALE - 1])
    wrong = next(too_fine, None)
    if wrong is None and decimals.null_count > texts.count(None):
        read = zip(texts, decimals.to_pylist(), strict=True)
        wrong = next(text for text, found in read if text is not None and found is None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is stored as a decimal, and is none of at most 14 + 4 digits")
