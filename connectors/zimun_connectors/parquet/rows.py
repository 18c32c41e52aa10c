"""Changes as Arrow tables, one for each part of a stream, and tables with a stream's columns."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pyarrow as pa

from zimun_connectors.parquet.layout import DAY, UNDATED, WHOLE, month
from zimun_sync.model import Stream
from zimun_sync.sinks import Batch, StoredChange
from zimun_sync.tables import ARROW_TYPES, upserts_table


def schema(stream: Stream) -> pa.Schema:
    """The published columns; what each means is its field's metadata, under `comment`."""
    return pa.schema(
        pa.field(column.name, ARROW_TYPES[column.type], metadata={"comment": column.comment})
        for column in stream.columns
    )


def parts(stream: Stream, changes: Iterable[StoredChange], *, dated: bool) -> list[str | None]:
    """The part that each change's row belongs to; None for a deletion."""
    day = next((i for i, column in enumerate(stream.content) if column.name == DAY), None)

    def part(change: StoredChange) -> str | None:
        if change.row is None:
            return None
        if not dated:
            return WHOLE
        return UNDATED if day is None else month(change.row[day])

    return [part(change) for change in changes]


def split(
    batch: Batch, news: list[StoredChange], places: Iterable[str | None]
) -> Iterator[tuple[str, pa.Table]]:
    """The upserts of a batch by the part they belong to."""
    rows = upserts_table(replace(batch, stored=news)).drop_columns("_hash")
    members: dict[str, list[int]] = {}
    for index, part in enumerate(part for part in places if part is not None):
        members.setdefault(part, []).append(index)
    for part, indices in sorted(members.items()):
        yield part, rows if len(members) == 1 else rows.take(pa.array(indices))


def fitted(rows: pa.Table | pa.RecordBatch, columns: pa.Schema) -> pa.Table:
    """The rows with exactly those columns; one they do not have is NULL.

    Raises:
        pa.ArrowException: a value does not fit a column's present type.
    """
    present = set(rows.schema.names)
    arrays = [
        rows[field.name].cast(field.type)
        if field.name in present
        else pa.nulls(rows.num_rows, field.type)
        for field in columns
    ]
    return pa.Table.from_arrays(arrays, schema=columns)
