"""Blanking what files of changes hold about people who are to be forgotten.

Every other byte stays as it is, so a file is read here without being understood: its header
tells the delimiter, and quotes tell where a row ends.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zimun_connectors.csv.format import OPERATION
from zimun_connectors.csv.guarding import guard, quote
from zimun_sync.model import Stream

_BYTE_ORDER_MARK = "\ufeff".encode()
_LINE_END = re.compile(rb"\r?\n\Z")


@dataclass(frozen=True, slots=True)
class Target:
    """Whose rows are to be blanked.

    Args:
        stream: the stream; a column that it does not have counts as personal.
        keys: the records' keys, by source.
    """

    stream: Stream
    keys: Mapping[str, Collection[str]]


def scrubbed(path: Path, target: Target) -> Iterator[bytes]:
    """The file's rows, header included, with the personal cells of the target's records empty."""
    with path.open("rb") as file:
        rows = _rows(file)
        header = next(rows, b"")
        yield header
        blank = _blanker(header, target)
        yield from map(blank, rows)


def _rows(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines put together where quotes hold a line break; with their endings."""
    row, quotes = b"", 0
    for line in lines:
        row, quotes = row + line, quotes + line.count(b'"')
        if not quotes % 2:
            yield row
            row, quotes = b"", 0
    if row:
        yield row


def _blanker(header: bytes, target: Target) -> Callable[[bytes], bytes]:
    first = OPERATION.name.encode()
    bare = _LINE_END.sub(b"", header.removeprefix(_BYTE_ORDER_MARK))
    delimiter = bare[len(first) : len(first) + 1]
    names = bare.decode().split(delimiter.decode())
    kept = {column.name for column in target.stream.columns if not column.personal}
    personal = [n for n, name in enumerate(names) if name not in {OPERATION.name, *kept}]
    key, source = names.index(target.stream.key), names.index("_source")
    wanted = _spelled(target, delimiter.decode())
    cells = re.compile(rb'(?:\A|%b)((?:"(?:[^"]|"")*"|[^"%b]*))' % ((re.escape(delimiter),) * 2))

    def blank(row: bytes) -> bytes:
        end = _LINE_END.search(row)
        body, ending = (row[: end.start()], end.group()) if end else (row, b"")
        found = cells.findall(body)
        if (found[source], found[key]) not in wanted:
            return row
        for number in personal:
            found[number] = b""
        return delimiter.join(found) + ending

    return blank


def _spelled(target: Target, delimiter: str) -> set[tuple[bytes, bytes]]:
    """Cells of source and key, each with the guard against formulas and without."""
    return {
        (source_cell, key_cell)
        for source, keys in target.keys.items()
        for key in keys
        for source_cell in _cells(source, delimiter)
        for key_cell in _cells(key, delimiter)
    }


def _cells(text: str, delimiter: str) -> set[bytes]:
    return {quote(spelled, delimiter).encode() for spelled in (text, guard(text))}
