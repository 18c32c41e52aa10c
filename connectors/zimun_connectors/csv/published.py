"""Whether a published file holds what the sink would write now, record by record.

Most often it does, byte for byte. Where it does not, both are read as cells: lines that only one
of them has are found by a mark of eight bytes a line, and then looked at themselves.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import RawIOBase
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from zimun_connectors.csv.log import Pieces
from zimun_sync.sinks import Shown

#: Bytes that are read at a time; no line that the sink writes is longer than the last.
_BLOCKS: Final = (1 << 20, 1 << 23, 1 << 27)
_WORD: Final = (1 << 64) - 1
#: Stands for an empty cell without quotes: like a text that is one NUL, and like nothing else.
_NULL: Final = b"\x00"
_BETWEEN: Final = b"\x00,"

Difference = tuple[str, Shown, str]
_Cells = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A file, and what it should be.

    Args:
        path: the file.
        wanted: gives the bytes that it should have, in pieces; the first one is its header.
        columns: names of its columns.
        key: the column that tells records apart.
        delimiter: between its cells.
        block: bytes that are read at a time.
        odd: gets what is no row of the file at all.
    """

    path: Path
    wanted: Callable[[], Iterator[bytes]]
    columns: Sequence[str]
    key: str
    delimiter: str
    block: int = _BLOCKS[0]
    odd: set[str] = field(default_factory=set)

    def differences(self, source: str) -> Iterator[Difference]:
        """Records of a source that the file lacks, has otherwise, or has and should not."""
        if _is_the_same(self.wanted(), self.path):
            return
        if not self._has_header():
            yield "", "differs", "the header"
        yield from self._compared(source)

    def _compared(self, source: str) -> Iterator[Difference]:
        for block in _BLOCKS:  # which a line has to fit in
            try:
                found = list(replace(self, block=block, odd=set()).by_line(source))
            except pa.ArrowInvalid:
                continue
            yield from found
            return
        yield "", "differs", "it cannot be read as CSV"

    def by_line(self, source: str) -> Iterator[Difference]:
        """The same, without a look at the header.

        Raises:
            pyarrow.ArrowInvalid: a line is longer than a block, or it is no CSV at all.
        """
        wanted, found = _marks(self._wanted(source)), _marks(self._found(source))
        missing = self._others(self._wanted(source), found)
        extra = self._others(self._found(source), wanted)
        doubled = self._doubled(source, found)
        for key in sorted(missing.keys() | extra.keys() | doubled):
            yield self._difference(key, missing.get(key), extra.get(key))
        for what in self.odd:
            yield "", "differs", what

    def _has_header(self) -> bool:
        header = next(self.wanted())
        if not self.path.exists():
            return True  # the missing lines tell
        with self.path.open("rb") as file:
            return file.read(len(header)) == header

    def _difference(self, key: str, missing: _Cells | None, extra: _Cells | None) -> Difference:
        if missing is None:
            return (key, "extra", "") if extra else (key, "differs", "stands there more than once")
        if extra is None:
            return key, "missing", ""
        cells = zip(self.columns, missing, extra, strict=True)
        return key, "differs", ", ".join(name for name, one, other in cells if one != other)

    def _wanted(self, source: str) -> Iterator[pa.RecordBatch]:
        return self._read(Pieces(self.wanted()), source)

    def _found(self, source: str) -> Iterator[pa.RecordBatch]:
        if self.path.exists() and self.path.stat().st_size:
            with self.path.open("rb", buffering=0) as file:
                pieces = iter(lambda: file.read(self.block), b"")
                yield from self._read(Pieces(pieces), source)

    def _read(self, file: RawIOBase, source: str) -> Iterator[pa.RecordBatch]:
        """The file's lines as cells of bytes; what is no row of it at all is left out, and told."""

        def leave_out(_row: object) -> str:
            self.odd.add("lines that are no rows")
            return "skip"

        reader = pacsv.open_csv(
            pa.PythonFile(file, mode="r"),
            read_options=pacsv.ReadOptions(
                column_names=self.columns, skip_rows=1, block_size=self.block, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=self.delimiter,
                newlines_in_values=True,
                invalid_row_handler=leave_out,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(self.columns, pa.binary()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        for batch in reader:
            yield batch.filter(pc.equal(batch.column("_source"), source.encode()))

    def _others(self, batches: Iterator[pa.RecordBatch], known: "array[int]") -> dict[str, _Cells]:
        """Cells of the lines that are not among those known, by key."""
        return {
            self._key(batch, number): _cells(batch, number)
            for batch in batches
            for number, mark in enumerate(_marked(batch))
            if not _has(known, mark)
        }

    def _doubled(self, source: str, found: "array[int]") -> set[str]:
        twice = {one for one, other in pairwise(found) if one == other}
        if not twice:
            return set()
        return {
            self._key(batch, number)
            for batch in self._found(source)
            for number, mark in enumerate(_marked(batch))
            if mark in twice
        }

    def _key(self, batch: pa.RecordBatch, number: int) -> str:
        key: bytes = batch.column(self.key)[number].as_py() or b""
        return key.replace(b"\x00", b"?").decode(errors="replace")  # whatever stands there


def _is_the_same(wanted: Iterator[bytes], path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        return all(file.read(len(piece)) == piece for piece in wanted) and not file.read(1)


def _cells(batch: pa.RecordBatch, number: int) -> _Cells:
    return tuple(column[number].as_py() for column in batch.columns)


def _marked(batch: pa.RecordBatch) -> Iterator[int]:
    """A number for each line, the same for the same cells."""
    joined = pc.binary_join_element_wise(
        *batch.columns, _BETWEEN, null_handling="replace", null_replacement=_NULL
    )
    return (hash(line) & _WORD for line in joined.to_pylist())


def _marks(batches: Iterator[pa.RecordBatch]) -> "array[int]":
    """The marks of all lines, in order."""
    met = array("Q")
    for batch in batches:
        met.extend(_marked(batch))
    return array("Q", sorted(met))


def _has(marks: "array[int]", mark: int) -> bool:
    at = bisect_left(marks, mark)
    return at < len(marks) and marks[at] == mark
