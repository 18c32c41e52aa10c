"""Whole tables as the tools of those who use a sink read them, value by value.

Columns are told by the model; where the record came from and when (lineage) is left out, for it
may differ where a row was written twice.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow.csv as pacsv
import pyarrow.dataset as pads
from deltalake import DeltaTable
from psycopg import sql
from psycopg.rows import dict_row

from zimun_sync.model import ColumnType

Record = Mapping[str, Any]
#: Rows of a stream of that name.
Read = Callable[[str], Iterable[Record]]


@dataclass(frozen=True, slots=True)
class Table:
    """What of a table makes its content.

    Args:
        key: its key column.
        types: of its columns.
    """

    key: str
    types: Mapping[str, ColumnType]

    def content(self, rows: Iterable[Record]) -> dict[str, tuple[Any, ...]]:
        """Its rows by key, each value as one and the same Python type whatever read it."""
        found = [
            tuple(_plain(row[name], kind) for name, kind in self.types.items()) for row in rows
        ]
        at = list(self.types).index(self.key)
        by_key = {row[at]: row for row in found}
        assert len(by_key) == len(found), "a key stands there twice"
        return by_key


def checksum(content: Mapping[str, tuple[Any, ...]]) -> tuple[int, str]:
    """How many rows, and a digest of all their values."""
    digest = sha256()
    for key in sorted(content):
        digest.update(repr(content[key]).encode())
    return len(content), digest.hexdigest()


def _plain(value: Any, kind: ColumnType) -> Any:
    return None if value is None else _PLAIN[kind](value)


def _instant(value: Any) -> str:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    assert found.tzinfo is not None
    return str(found.astimezone(UTC).isoformat())


def _clock(value: Any) -> str:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    assert found.tzinfo is None
    return str(found.isoformat())


def _day(value: Any) -> str:
    return (date.fromisoformat(value) if isinstance(value, str) else value).isoformat()


def _exact(value: Any) -> str:
    assert not isinstance(value, float), "a price must not be a floating-point number"
    return str(Decimal(value).quantize(Decimal("0.0001")))


def _json(value: Any) -> str:
    return json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)


def _text(value: Any) -> str:
    assert isinstance(value, str)
    return value


#: Of each column type, the same value for whatever a reader gives; CSV gives text.
_PLAIN: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.TEXT: _text,
    ColumnType.INTEGER: int,
    ColumnType.BOOLEAN: lambda value: {"true": True, "false": False}.get(value, value),
    ColumnType.DECIMAL: _exact,
    ColumnType.INSTANT: _instant,
    ColumnType.LOCAL_TIME: _clock,
    ColumnType.DATE: _day,
    ColumnType.JSON: _json,
}


def of_duckdb(database: Path, schema: str = "main") -> Read:
    """DuckDB, in the file analysts open."""

    def read(stream: str) -> Iterator[Record]:
        with duckdb.connect(database, read_only=True) as connection:
            found = connection.execute(f'SELECT * FROM "{schema}"."{stream}"')
            names = [column[0] for column in found.description or ()]
            for row in found.fetchall():
                yield dict(zip(names, row, strict=True))

    return read


def of_csv(folder: Path) -> Read:
    """pyarrow, which tells an empty text from none; every cell stays text."""

    def read(stream: str) -> Iterator[Record]:
        path = folder / f"{stream}.csv"
        with path.open(encoding="utf-8") as file:
            names = file.readline().strip().split(",")
        options = pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, "string"),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        parsing = pacsv.ParseOptions(newlines_in_values=True)
        rows = pacsv.read_csv(path, parse_options=parsing, convert_options=options).to_pylist()
        for row in rows:
            yield {name: _unguarded(value) for name, value in row.items()}

    return read


def _unguarded(cell: str | None) -> str | None:
    """The text without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if cell and cell[0] == "'" else cell


def of_parquet(folder: Path) -> Read:
    """pyarrow, over the current version's files."""

    def read(stream: str) -> Iterator[Record]:
        files = folder / "current" / stream
        yield from pads.dataset(files, format="parquet").to_table().to_pylist()

    return read


def of_delta(folder: Path) -> Read:
    """deltalake, over a table's folder."""

    def read(stream: str) -> Iterator[Record]:
        yield from DeltaTable(str(folder / stream)).to_pyarrow_table().to_pylist()

    return read


def of_postgres(url: str, schema: str) -> Read:
    """psycopg."""

    def read(stream: str) -> Iterator[Record]:
        query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, stream))
        with psycopg.connect(url, row_factory=dict_row) as connection:
            yield from connection.execute(query).fetchall()

    return read
