"""Whether a sink's rows are those that it was given: value by value where it can show them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from zimun_sync.model import LINEAGE, Stream
from zimun_sync.sinks import Batch, ReadsBack, ReadsRows
from zimun_sync.tables import upserts_table

#: Records that are looked up at once.
_AT_ONCE: Final = 5_000
_HASH: Final = "_hash"


class Part(NamedTuple):
    """Some of what a sink holds: keys and hashes side by side, and the rows where it shows them."""

    keys: Sequence[str]
    hashes: Sequence[str]
    rows: pa.Table | None = None


def parts_of(sink: ReadsBack, source: str, stream: Stream) -> Iterator[Part]:
    """All that a sink holds of a stream, a part at a time."""
    if isinstance(sink, ReadsRows):
        for table in sink.read_rows(source, stream):
            for start in range(0, table.num_rows, _AT_ONCE):
                rows = table.slice(start, _AT_ONCE)
                yield Part(_texts(rows, stream.key), _texts(rows, _HASH), rows)
        return
    keys: list[str] = []
    hashes: list[str] = []
    for key, digest in sink.read_back(source, stream):
        keys.append(key)
        hashes.append(digest)
        if len(keys) == _AT_ONCE:
            yield Part(keys, hashes)
            keys, hashes = [], []
    if keys:
        yield Part(keys, hashes)


def _texts(rows: pa.Table, name: str) -> list[str]:
    return rows.column(name).to_pylist()  # type: ignore[no-any-return]


def different(part: Part, batch: Batch) -> Mapping[str, str]:
    """Records that the sink does not hold as it was given them, with what differs in words.

    Args:
        part: what the sink holds.
        batch: the present states of the same records, as the sink is given them.
    """
    found: dict[str, str] = dict.fromkeys(_doubled(part.keys), "stands there more than once")
    given = {head.key: head.hash for head in batch.heads if not head.deleted}
    columns = {} if part.rows is None else _columns(part.rows, batch)
    for key, digest in zip(part.keys, part.hashes, strict=True):
        if key in columns:
            found.setdefault(key, ", ".join(columns[key]))
        elif key in given and digest != given[key]:
            found.setdefault(key, "content" if part.rows is None else _HASH)
    return found


def _doubled(keys: Sequence[str]) -> list[str]:
    return [key for key, count in Counter(keys).items() if count > 1]


def _columns(rows: pa.Table, batch: Batch) -> Mapping[str, list[str]]:
    """The columns that differ, by key."""
    given, key = upserts_table(batch), batch.stream.key
    places = pc.index_in(given.column(key), value_set=rows.column(key))
    there = pc.is_valid(places)
    given, held = given.filter(there), rows.take(places.drop_null())
    found: defaultdict[str, list[str]] = defaultdict(list)
    for field in given.schema:
        if field.name in _LINEAGE or field.name == _HASH or field.name not in held.schema.names:
            continue
        unequal = _unequal(given.column(field.name), held.column(field.name))
        if pc.any(unequal).as_py():
            for each in given.column(key).filter(unequal).to_pylist():
                found[each].append(field.name)
    return found


def _unequal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """Where two columns differ; NULL is equal to NULL only."""
    try:
        other = other.cast(one.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # somebody gave it another type
        return pa.chunked_array([pa.repeat(pa.scalar(value=True), len(one))])
    only_one = pc.xor(pc.is_null(one), pc.is_null(other))
    return pc.or_(only_one, pc.fill_null(pc.not_equal(one, other), fill_value=False))


_LINEAGE: Final = frozenset(column.name for column in LINEAGE)
