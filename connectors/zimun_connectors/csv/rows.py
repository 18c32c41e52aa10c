"""Changes as Arrow record batches, batches as lines of CSV, and lines as batches again."""

from collections.abc import Iterable, Iterator, Sequence
from io import RawIOBase
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from zimun_connectors.csv.cells import cells, unguard
from zimun_connectors.csv.format import Format, column_names
from zimun_connectors.csv.zones import Zones
from zimun_sync.model import Column, ColumnType, Stream
from zimun_sync.sinks import StoredChange

_BLOCK = 1 << 20

#: Rows held as Arrow at a time: memory stays flat however large a batch is.
_SLICE = 2_000

#: The first column in files of changes.
OPERATION = Column("_op", ColumnType.TEXT, "upsert or delete.")

#: How a column is held between reading and spelling; TEXT, JSON and DECIMAL are text.
_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.INTEGER: pa.int64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.INSTANT: pa.timestamp("us", "UTC"),
    ColumnType.LOCAL_TIME: pa.timestamp("us"),
    ColumnType.DATE: pa.date32(),
}
_NUMBERS = {
    ColumnType.INSTANT: pa.int64(),
    ColumnType.LOCAL_TIME: pa.int64(),
    ColumnType.DATE: pa.int32(),
}


def slices(changes: Sequence[StoredChange]) -> Iterator[Sequence[StoredChange]]:
    """The changes in parts of a size that Arrow takes well."""
    left = iter(changes)
    while part := list(islice(left, _SLICE)):
        yield part


def rows(stream: Stream, source: str, changes: Sequence[StoredChange]) -> pa.RecordBatch:
    """One row a change, `_op` first; a deletion has its key and lineage only."""
    key = next(i for i, column in enumerate(stream.filled) if column.name == stream.key)
    blank = (None,) * len(stream.filled)
    records = [
        (*blank[:key], change.key, *blank[key + 1 :]) if change.row is None else change.row
        for change in changes
    ]
    content = zip(*records, strict=True) if records else [()] * len(blank)
    lineage = (
        [source] * len(changes),
        [change.seq for change in changes],
        [change.run_id for change in changes],
        [change.observed_at for change in changes],
    )
    operations = pa.array(
        ["delete" if change.row is None else "upsert" for change in changes], pa.string()
    )
    arrays = [
        _array(column, values)
        for column, values in zip(stream.columns, (*content, *lineage), strict=True)
    ]
    return pa.record_batch([operations, *arrays], names=[OPERATION.name, *column_names(stream)])


def _array(column: Column, values: Sequence[object]) -> pa.Array:
    kind = _TYPES.get(column.type, pa.string())
    return pa.array(values, _NUMBERS.get(column.type, kind)).cast(kind)


def lines(
    batch: pa.RecordBatch, columns: Iterable[Column], spelling: Format, zones: Zones
) -> pa.Array:
    """The batch's rows as lines of CSV, line endings included."""
    shown = {column.name: batch.column(column.name) for column in columns}
    clocks = zones.clocks(batch) if spelling.wall_clock else None
    for column in columns:
        if column.type is ColumnType.INSTANT:
            instants = shown[column.name]
            shown[column.name] = clocks(instants) if clocks else instants.cast(pa.timestamp("us"))
    spelled = [cells(column, shown[column.name], spelling) for column in columns]
    line = pc.binary_join_element_wise(
        *spelled, spelling.delimiter, null_handling="replace", null_replacement=""
    )
    return pc.binary_join_element_wise(line, "", spelling.line_ending)


def payload(spelled: pa.Array) -> memoryview:
    """The bytes of all lines, one after the other."""
    offsets = memoryview(spelled.buffers()[1]).cast("i") if len(spelled) else [0]
    data = memoryview(spelled.buffers()[2] or b"")
    return data[offsets[spelled.offset] : offsets[spelled.offset + len(spelled)]]


def parse(source: RawIOBase, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """The rows of canonical lines.

    Args:
        source: the lines, without a header.
        columns: the columns they have.
    """
    names = [column.name for column in columns]
    reader = pacsv.open_csv(
        pa.PythonFile(source, mode="r"),
        read_options=pacsv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types={c.name: _TYPES.get(c.type, pa.string()) for c in columns},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    for batch in reader:
        yield _unguarded(batch, columns)


def _unguarded(batch: pa.RecordBatch, columns: Sequence[Column]) -> pa.RecordBatch:
    arrays = [
        unguard(values) if column.type is ColumnType.TEXT else values
        for column, values in zip(columns, batch.columns, strict=True)
    ]
    return pa.record_batch(arrays, names=batch.schema.names)


def completed(batch: pa.RecordBatch, stream: Stream) -> pa.RecordBatch:
    """The batch with exactly the stream's columns; what it does not have is NULL."""
    present = dict(zip(batch.schema.names, batch.columns, strict=True))
    arrays = [
        present.get(column.name, pa.nulls(len(batch), _TYPES.get(column.type, pa.string())))
        for column in stream.columns
    ]
    return pa.record_batch(arrays, names=column_names(stream))
