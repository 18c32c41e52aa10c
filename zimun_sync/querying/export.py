"""A one-off copy of what the state holds, one file a stream."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa

from zimun_sync.errors import ZimunSyncError
from zimun_sync.model import STREAMS, ColumnType, Stream
from zimun_sync.querying.answers import Rows
from zimun_sync.querying.files import appearing
from zimun_sync.querying.formats import write
from zimun_sync.sinks import Batch
from zimun_sync.store import Store
from zimun_sync.tables import arrow_schema, upserts_table

#: What is there to choose from; also how the files' names end.
FORMATS: Final = ("csv", "parquet", "jsonl")
#: Records held at a time.
_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished file.

    Args:
        stream: the stream's name.
        path: the file.
        records: how many records it holds.
        formulas: columns with cells that a spreadsheet might run; CSV only.
    """

    stream: str
    path: Path
    records: int
    formulas: frozenset[str]


def export(
    store: Store,
    sources: Mapping[str, Sequence[str]],
    folder: Path,
    kind: str,
    columns: Mapping[str, Stream] = STREAMS,
) -> Iterator[Exported]:
    """Write the present content of the state, stream after stream; earlier files are replaced.

    Each record that is there from beginning to end is written once, in key order, as it stands
    when it is read. One stream's file holds every source, told apart by `_source`.

    Args:
        store: only read; nothing else is asked.
        sources: streams by source.
        folder: is made, for its owner alone, where it is missing.
        kind: of `FORMATS`.
        columns: every stream by name, with the columns that the configuration promotes.

    Raises:
        ZimunSyncError: the state cannot be read, or the files cannot be written.
    """
    _make(folder)
    for name, stream in columns.items():
        those = [source for source, streams in sources.items() if name in streams]
        if not those:
            continue
        path = folder / f"{name}.{kind}"
        rows = Rows(arrow_schema(stream), _documents(stream), _batches(store, those, stream))
        with appearing(path) as file:
            records, formulas = write(kind, file, rows)
        yield Exported(name, path, records, formulas)


def _make(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ZimunSyncError(
            f"The folder {folder} cannot be made: {error.strerror}.", hint="Choose another --to."
        ) from error


def _documents(stream: Stream) -> frozenset[str]:
    return frozenset(each.name for each in stream.columns if each.type is ColumnType.JSON)


def _batches(store: Store, sources: Iterable[str], stream: Stream) -> Iterator[pa.RecordBatch]:
    for source in sources:
        # The keys are those of one moment: walking the feed would meet a record twice, or never,
        # that changes meanwhile and so moves to the feed's end.
        keys = (key for key, _ in store.feed.hashes(source, stream.name))
        while some := list(islice(keys, _AT_ONCE)):
            present = sorted(
                store.feed.present(source, stream.name, some), key=lambda each: each.key
            )
            yield from upserts_table(Batch(source, stream, present)).to_batches()
