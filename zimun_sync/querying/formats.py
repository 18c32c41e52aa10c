"""Writing rows, a batch at a time, as CSV, JSON, JSON lines, Arrow or Parquet."""

from collections.abc import Callable
from typing import BinaryIO, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from zimun_sync.querying.answers import Rows
from zimun_sync.querying.values import encode, is_plain, texts, values

#: Rows of a Parquet row group: enough to compress well, few enough to hold.
_GROUP_ROWS = 50_000
#: A text that spreadsheets take for a formula, unless it is a telephone number.
_FORMULA: Final = r"^\s*[=+\-@\t\r]"
_PHONE: Final = r"^\+[1-9][0-9]{6,14}$"


class Writer(Protocol):
    """Writes rows into an open file, which stays open."""

    def write(self, batch: pa.RecordBatch, /) -> None:
        """Write these rows."""
        ...

    def close(self) -> None:
        """Write what ends a complete file; not called for one that was cut short."""
        ...


class CsvWriter:
    """RFC 4180 with a header: text in quotes, so that NULL, an empty cell, differs from `""`.

    Args:
        out: where to write, UTF-8.
        rows: whose columns they are.

    Attributes:
        formulas: names of columns with cells that a spreadsheet might run.
    """

    def __init__(self, out: BinaryIO, rows: Rows) -> None:
        self.formulas: set[str] = set()
        self._schema = pa.schema(
            field if _writes_itself(field.type) else pa.field(field.name, pa.string())
            for field in rows.schema
        )
        self._writer = pacsv.CSVWriter(out, self._schema)

    def write(self, batch: pa.RecordBatch, /) -> None:
        """Write these rows."""
        columns = [
            column if column.type == field.type else pa.array(texts(column), pa.string())
            for column, field in zip(batch.columns, self._schema, strict=True)
        ]
        for column, field in zip(columns, self._schema, strict=True):
            if pa.types.is_string(field.type) and _looks_like_formulas(column):
                self.formulas.add(field.name)
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def _writes_itself(kind: pa.DataType) -> bool:
    return is_plain(kind) or bool(pa.types.is_floating(kind))


def _looks_like_formulas(column: pa.Array) -> bool:
    risky = pc.match_substring_regex(column, _FORMULA)
    harmless = pc.match_substring_regex(column, _PHONE)
    return bool(pc.any(pc.and_not(risky, harmless)).as_py())


class JsonLinesWriter:
    """One JSON object a line."""

    _before, _between, _after = b"", b"\n", b"\n"

    def __init__(self, out: BinaryIO, rows: Rows) -> None:
        self._out = out
        self._rows = rows
        self._begun = False

    def write(self, batch: pa.RecordBatch, /) -> None:
        """Write these rows."""
        names = batch.schema.names
        columns = [
            values(column, document=name in self._rows.documents)
            for name, column in zip(names, batch.columns, strict=True)
        ]
        lines = [encode(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
        if lines:
            self._out.write(self._between if self._begun else self._before)
            self._out.write(self._between.join(lines))
            self._begun = True

    def close(self) -> None:
        """End the last line."""
        if self._begun:
            self._out.write(self._after)


class JsonWriter(JsonLinesWriter):
    """One JSON array, an object a line."""

    _before, _between, _after = b"[\n", b",\n", b"\n]\n"

    def close(self) -> None:
        """End the array."""
        self._out.write(self._after if self._begun else b"[]\n")


class ArrowWriter:
    """Arrow IPC: the file format where it can be read from any place, else the stream format."""

    def __init__(self, out: BinaryIO, rows: Rows) -> None:
        kind = pa.ipc.new_file if out.seekable() else pa.ipc.new_stream
        self._writer = kind(out, rows.schema)

    def write(self, batch: pa.RecordBatch, /) -> None:
        """Write these rows."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class ParquetWriter:
    """Parquet, in row groups of a size that readers like."""

    def __init__(self, out: BinaryIO, rows: Rows) -> None:
        self._writer = pq.ParquetWriter(out, rows.schema)
        self._held: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch, /) -> None:
        """Write these rows, once they are enough for a row group."""
        self._held.append(batch)
        if sum(len(each) for each in self._held) >= _GROUP_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held))
            self._held.clear()

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._write_group()
        self._writer.close()


WRITERS: Final[dict[str, Callable[[BinaryIO, Rows], Writer]]] = {
    "csv": CsvWriter,
    "json": JsonWriter,
    "jsonl": JsonLinesWriter,
    "arrow": ArrowWriter,
    "parquet": ParquetWriter,
}


def write(kind: str, out: BinaryIO, rows: Rows) -> tuple[int, frozenset[str]]:
    """Write every row.

    Args:
        kind: of `WRITERS`.
        out: an open file.
        rows: read to their end.

    Returns:
        How many rows there were, and the columns with cells that a spreadsheet might run.
    """
    writer = WRITERS[kind](out, rows)
    written = 0
    for batch in rows.batches:
        writer.write(batch)
        written += len(batch)
    writer.close()
    formulas = writer.formulas if isinstance(writer, CsvWriter) else ()
    return written, frozenset(formulas)
