"""Running SQL: the answer as a stream of Arrow batches, mistakes in DuckDB's own words."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from zimun_sync.errors import ConfigError, ZimunSyncError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation, Statement

#: Rows of one batch of an answer.
BATCH_ROWS = 10_000
#: What loses a part of its value on the way to Arrow, and goes there as DuckDB's text.
_AS_TEXT = {"BIT", "TIME WITH TIME ZONE"}
_MISTAKES = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.SyntaxException,
    duckdb.InvalidInputException,
)
_WRITING = {"INSERT", "UPDATE", "DELETE", "MERGE_INTO", "CREATE", "ALTER", "DROP"}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows on their way to a reader, each batch in memory only while it is looked at.

    Args:
        schema: names and Arrow types of the columns; no name comes twice.
        documents: names of the text columns that hold JSON.
        batches: the rows; reading them may raise as `answer` does.
    """

    schema: pa.Schema
    documents: frozenset[str]
    batches: Iterator[pa.RecordBatch]


def answer(connection: "DuckDBPyConnection", sql: str) -> Rows:
    """The rows of the last of these statements; the ones before it are run first.

    Args:
        connection: nothing else may run on it until the rows are read.
        sql: one statement or several.

    Raises:
        ConfigError: a mistake in the SQL, or a statement that would write.
        ZimunSyncError: it failed while it ran.
    """
    with _explained():
        statements = connection.extract_statements(sql)
    if not statements:
        raise ConfigError("There is no SQL to run.", hint='zimun-sync query "SHOW TABLES"')
    for statement in statements[:-1]:
        with _explained(statement):
            connection.execute(statement)
    with _explained(statements[-1]):
        found = _relation(connection, statements[-1])
        names = _distinct(found.columns)
        kinds = [str(kind) for kind in found.types]
        reader = _arrow_safe(found, kinds).to_arrow_reader(BATCH_ROWS)
    schema = pa.schema(
        field.with_name(name) for field, name in zip(reader.schema, names, strict=True)
    )
    documents = frozenset(name for name, kind in zip(names, kinds, strict=True) if kind == "JSON")
    return Rows(schema, documents, _read(reader, schema))


def _relation(connection: "DuckDBPyConnection", statement: "Statement") -> "DuckDBPyRelation":
    try:
        return connection.sql(statement)
    except duckdb.Error as error:
        if "LINE " not in str(error):
            connection.execute(statement.query)  # fails as well, and says at which place
        raise


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, those that come again numbered as DuckDB numbers them in a subquery."""
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in names:
        shown = name
        while shown in found:
            seen[name] += 1
            shown = f"{name}_{seen[name]}"
        found.append(shown)
    return found


def _arrow_safe(found: "DuckDBPyRelation", kinds: Sequence[str]) -> "DuckDBPyRelation":
    if not _AS_TEXT.intersection(kinds):
        return found
    chosen = (
        f"#{number}::VARCHAR" if kind in _AS_TEXT else f"#{number}"
        for number, kind in enumerate(kinds, start=1)
    )
    return found.project(", ".join(chosen))


def _read(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    while True:
        with _explained():
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
        yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


@contextmanager
def _explained(statement: "Statement | None" = None) -> Iterator[None]:
    """Raise DuckDB's errors as ours; those of a running answer come through Arrow."""
    try:
        yield
    except _MISTAKES as error:
        raise ConfigError(str(error), hint=_hint(error, statement)) from error
    except (duckdb.Error, OSError, pa.ArrowException) as error:
        raise ZimunSyncError(f"The query failed. {error}") from error


def _hint(error: Exception, statement: "Statement | None") -> str:
    if statement is not None and statement.type.name in _WRITING:
        return "The published data is only read here; a table of your own can be a TEMP table."
    if isinstance(error, (duckdb.CatalogException, duckdb.BinderException)):
        return "SHOW TABLES names the tables; DESCRIBE appointments names its columns."
    return ""
