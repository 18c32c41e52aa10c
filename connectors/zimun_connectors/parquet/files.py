"""One Parquet file: written anew from its former rows and those that waited."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zimun_connectors.common.access import PublishSettings
from zimun_connectors.common.files import sync
from zimun_connectors.parquet.pending import PUBLISHED, Pending
from zimun_connectors.parquet.rows import fitted
from zimun_sync.errors import SinkBroken

RESTORE_HINT = (
    "Restore the sink's folder as a whole, or set up a sink of another name with another path: "
    "a new sink is filled from the store."
)

#: Rows held in memory at a time, and rows of a row group.
_GROUP = 65_536


def write(path: Path, tables: Iterable[pa.Table], columns: pa.Schema, compression: str) -> int:
    """Write a file, durably.

    Returns:
        How many rows it has.
    """
    count = 0
    with path.open("wb") as file:
        with pq.ParquetWriter(file, columns, compression=compression) as writer:
            for group in _regrouped(tables):
                writer.write_table(group, row_group_size=_GROUP)
                count += group.num_rows
        file.flush()
    return count


def finish(path: Path, access: PublishSettings) -> int:
    """Give a written file its permissions and flush it; its size in bytes."""
    access.grant(path)
    sync(path)
    return path.stat().st_size


def _regrouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of one row group each."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += table.num_rows
        if count >= _GROUP:
            whole = pa.concat_tables(waiting)
            full = count - count % _GROUP
            yield whole.slice(0, full)
            waiting, count = [whole.slice(full)], count - full
    if count:
        yield pa.concat_tables(waiting)


def merged(
    former: Path | None, pending: Pending, place: tuple[int, str], key: str, columns: pa.Schema
) -> Iterator[pa.Table]:
    """The rows of a part that count: the former file's, then those of every write since.

    Args:
        former: the part's file in the latest version, if it has one.
        pending: what was written since.
        place: stream and part.
        key: the stream's key column.
        columns: what the rows should have.

    Raises:
        SinkBroken: the former file is damaged.
    """
    outlived = pending.outlived(*place)
    if former is not None:
        for batch in _read(former, columns):
            yield outlived.without(batch, key, PUBLISHED)
    for stamp, rows in pending.rows(*place):
        yield outlived.without(fitted(rows, columns), key, stamp)


def _read(path: Path, columns: pa.Schema) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_GROUP):
                yield fitted(batch, columns)
    except pa.ArrowException as error:
        raise SinkBroken(f"{path} cannot be read: {error}", hint=RESTORE_HINT) from error
