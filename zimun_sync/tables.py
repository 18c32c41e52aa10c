"""Batches as Arrow tables and pandas frames, for sinks that write columns rather than rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from arro3.core import Field, Schema

from zimun_sync import arrow, freshness
from zimun_sync.freshness import Freshness
from zimun_sync.model import ColumnType, Stream
from zimun_sync.omitting import omitting
from zimun_sync.sinks import Batch

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

_SAMPLE = pa.schema(Schema([Field(kind, arrow.TYPES[kind]) for kind in ColumnType]))

#: Types of Arrow by column type, as pyarrow's.
ARROW_TYPES: dict[ColumnType, pa.DataType] = {kind: _SAMPLE.field(kind).type for kind in ColumnType}


def arrow_schema(stream: Stream) -> pa.Schema:
    """Arrow types of the stream's columns, lineage and `_hash` included, see `arrow.schema`."""
    return pa.schema(arrow.schema(stream))


def upserts_table(batch: Batch) -> pa.Table:
    """The batch's upserts: all columns of its stream, lineage last, then `_hash` (hex text)."""
    return pa.table(arrow.upserts(batch))


def deletes_table(batch: Batch) -> pa.Table:
    """The batch's deletes: `key` (text) and `seq` (int64)."""
    return pa.table(arrow.deletes(batch))


def freshness_table(rows: Sequence[Freshness]) -> pa.Table:
    """The rows that `ShowsFreshness` is given, with the columns of `zimun_sync.freshness`."""
    schema = pa.schema(
        pa.field(column.name, ARROW_TYPES[column.type], metadata={"comment": column.comment})
        for column in freshness.COLUMNS
    )
    names = schema.names
    return pa.Table.from_pylist([dict(zip(names, r.values, strict=True)) for r in rows], schema)


def upserts_frame(batch: Batch) -> "pd.DataFrame":
    """The batch's upserts as a pandas frame with Arrow-backed columns (exact decimals, UTC)."""
    import pandas as pd

    frame: pd.DataFrame = upserts_table(batch).to_pandas(types_mapper=pd.ArrowDtype)
    return frame
