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
    told = {column.name: {"promoted": column.type.value} for column in stream.promoted}
    return pa.schema(
        pa.field(
            column.name,
            ARROW_TYPES[column.type],
            metadata={"comment": column.comment} | told.get(column.name, {}),
        )
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
    """The rows with exactly those columns.

    A column that they do not have is NULL, and so is one that was promoted with another type:
    its values come anew.

    Raises:
        pa.ArrowException: a value does not fit a column's present type.
    """
    present = {field.name: field for field in rows.schema}
    arrays = [
        rows[field.name].cast(field.type)
        if field.name in present and _promoted_as(present[field.name]) == _promoted_as(field)
        else pa.nulls(rows.num_rows, field.type)
        for field in columns
    ]
    return pa.Table.from_arrays(arrays, schema=columns)


def _promoted_as(field: pa.Field) -> bytes | None:
    """The type that a promoted column has; None for any other column."""
    return (field.metadata or {}).get(b"promoted")
