"""Changes as canonical lines: how the sink keeps rows, and what other spellings are made of.

Made by Python a column at a time: about as fast as by pyarrow, whose library and registry of
functions would take 85 MB of a process that only appends lines (docs/adr/0003-csv-files.md).
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from zimun_connectors.csv.format import CANONICAL, OPERATION
from zimun_connectors.csv.guarding import PHONE, SKIPPED, TRIGGERS, guard, quote
from zimun_sync import arrow
from zimun_sync.model import Column, ColumnType, Stream
from zimun_sync.sinks import StoredChange

#: Lines made at a time: memory stays flat however large a batch is.
_SLICE = 500

_HARMLESS = f'[^{SKIPPED}{re.escape(TRIGGERS)}\'",][^",\r\n\x00]*'

#: Texts, each followed by a NUL, that need neither apostrophe nor quotes.
_as_they_are = re.compile(f"(?:(?:{_HARMLESS}|{PHONE})\x00)*").fullmatch

#: Where white space stands between parts of a JSON document, one of these does.
_SPACED = (": ", ", ", "[ ", "{ ", "\n", "\t")

#: Characters of a time with milliseconds, without and with its `Z`; canonical are microseconds.
_MILLISECONDS = frozenset({23, 24})


def lines(stream: Stream, source: str, changes: Sequence[StoredChange]) -> Iterator[list[bytes]]:
    """A line for each change, line ending included, in lists of a size that memory takes well.

    A deletion's line has its key and lineage only.
    """
    for part in _slices(changes):
        yield spell(stream.columns, _values(stream, source, part))


def lines_of_changes(
    stream: Stream, source: str, changes: Sequence[StoredChange]
) -> Iterator[list[bytes]]:
    """The same with `OPERATION` as the first column."""
    columns = (OPERATION, *stream.columns)
    for part in _slices(changes):
        operations = ["delete" if change.row is None else "upsert" for change in part]
        yield spell(columns, [operations, *_values(stream, source, part)])


def _slices(changes: Sequence[StoredChange]) -> Iterator[list[StoredChange]]:
    left = iter(changes)
    while part := list(islice(left, _SLICE)):
        yield part


def _values(stream: Stream, source: str, changes: Sequence[StoredChange]) -> list[Sequence[Any]]:
    """The stream's columns of stored values."""
    key = next(n for n, column in enumerate(stream.filled) if column.name == stream.key)
    blank = (None,) * len(stream.filled)
    seqs, keys, rows, _, run_ids, observed_at = zip(*changes, strict=True)
    records = [
        (*blank[:key], gone, *blank[key + 1 :]) if row is None else row
        for gone, row in zip(keys, rows, strict=True)
    ]
    content = zip(*records, strict=True)
    return [*content, [source] * len(changes), seqs, run_ids, observed_at]


def spell(columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> list[bytes]:
    """Lines of columns of values as the store has them: instants in microseconds since 1970."""
    cells = map(_cells, columns, values)
    between, end = CANONICAL.delimiter, CANONICAL.line_ending
    return [f"{between.join(row)}{end}".encode() for row in zip(*cells, strict=True)]


def _cells(column: Column, values: Sequence[Any]) -> list[str]:
    """A column's cells; NULL is an empty one."""
    if values.count(None) == len(values):
        return [""] * len(values)
    match column.type:
        case ColumnType.TEXT:
            return _texts(values)
        case ColumnType.JSON:
            return _documents(values)
        case ColumnType.DECIMAL:
            return ["" if v is None else _plain(v) for v in values]
        case ColumnType.INTEGER:
            return ["" if v is None else str(v) for v in values]
        case kind:
            texts = arrow.texts(values, kind)
            return ["" if t is None else _with_micros(t) for t in texts]


def _texts(values: Sequence[str | None]) -> list[str]:
    """Texts, of which most columns have few or none that need a closer look."""
    distinct = {text for text in set(values) if text is not None}
    every = "\x00".join((*distinct, ""))
    if _as_they_are(every) and every.count("\x00") == len(distinct):  # none holds one itself
        return [text or "" for text in values]
    spelled = {text: quote(guard(text), CANONICAL.delimiter) for text in distinct}
    return ["" if text is None else spelled[text] for text in values]


def _documents(values: Sequence[str | None]) -> list[str]:
    """JSON without white space between its parts."""
    every = "\x00".join(filter(None, values))
    if any(part in every for part in _SPACED):
        values = [None if v is None else _compact(v) for v in values]
    return ["" if v is None else quote(v, CANONICAL.delimiter) for v in values]


def _compact(document: str) -> str:
    return msgspec.json.format(document.encode(), indent=-1).decode()


def _plain(decimal: str) -> str:
    """A decimal without an exponent."""
    return format(Decimal(decimal), "f") if "E" in decimal or "e" in decimal else decimal


def _with_micros(time: str) -> str:
    """An ISO-8601 time to whole seconds or to microseconds."""
    return f"{time[:23]}000{time[23:]}" if len(time) in _MILLISECONDS else time
