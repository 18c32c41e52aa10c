"""Canonical lines as Arrow record batches, and batches as lines in any spelling.

Only what spells a file otherwise than the sink keeps it needs this module: pyarrow and its
functions take 85 MB of a process.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import IOBase

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from zimun_connectors.csv.cells import cells, unguard
from zimun_connectors.csv.format import Format, column_names
from zimun_connectors.csv.log import Pieces
from zimun_connectors.csv.table import Table
from zimun_connectors.csv.zones import Zones
from zimun_sync.model import LOCATIONS, ORGANIZATION, Column, ColumnType, Stream
from zimun_sync.tables import ARROW_TYPES

_BLOCK = 1 << 20

#: How a column is held between reading and spelling: a decimal as the text that it is.
_TYPES = ARROW_TYPES | {ColumnType.DECIMAL: pa.string()}


def respelled(
    canonical: Sequence[bytes], columns: Sequence[Column], spelling: Format, zones: Zones
) -> Iterator[memoryview]:
    """Canonical lines in another spelling, in pieces.

    Args:
        canonical: the lines, at least one.
        columns: the columns they have.
        spelling: how to spell them.
        zones: where their wall clocks are, for a spelling that shows them.
    """
    longest = max(map(len, canonical))
    for batch in parse(Pieces(iter(canonical)), columns, longest):
        yield payload(lines(batch, columns, spelling, zones))


def zones_for(spelling: Format, tables: Mapping[str, Table]) -> Zones:
    """The zones of the locations and organizations that the sink holds, if the spelling asks."""
    if not spelling.wall_clock:
        return Zones()
    return Zones.of(
        (stream.key, batch)
        for stream in (LOCATIONS, ORGANIZATION)
        if stream.name in tables
        for batch in tables[stream.name].rows()
    )


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


def line_lengths(spelled: pa.Array) -> list[int]:
    """The length of each line, bytes."""
    lengths: list[int] = pc.binary_length(spelled).to_pylist()
    return lengths


def parse(source: IOBase, columns: Sequence[Column], longest: int) -> Iterator[pa.RecordBatch]:
    """The rows of canonical lines.

    Args:
        source: the lines, without a header; at least one.
        columns: the columns they have.
        longest: the longest line, bytes: Arrow wants to read as much at a time.
    """
    block = max(_BLOCK, longest + 1)  # `Pieces` may hold one byte back
    names = [column.name for column in columns]
    reader = pacsv.open_csv(
        pa.PythonFile(source, mode="r"),
        read_options=pacsv.ReadOptions(column_names=names, block_size=block, use_threads=False),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types={c.name: _TYPES[c.type] for c in columns},
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
        present.get(column.name, pa.nulls(len(batch), _TYPES[column.type]))
        for column in stream.columns
    ]
    return pa.record_batch(arrays, names=column_names(stream))
