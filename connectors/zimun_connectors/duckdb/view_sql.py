"""The SQL of the file that analysts open: views over the published files.

Views cannot have parameters: paths and names of tables are quoted as literals.
"""

from collections.abc import Iterable
from pathlib import Path

from zimun_connectors.duckdb.sql import definition, identifier, literal
from zimun_sync.model import Column, Stream

#: Older storage drops the word MATERIALIZED from a stored view. Views need 1.5 in any case.
VIEW_STORAGE = "v1.5.0"

#: Where stand-ins for the published tables are, while the views are created.
_SHADOWS = "memory.shadows"

#: DuckDB binds a view when it is created, but the paths in it are the readers', which need not
#: exist here. Views store the text they were given, so readers get the real function.
SHADOW_READER = f"""
    CREATE SCHEMA {_SHADOWS};
    CREATE TEMP MACRO read_duckdb(file, table_name := '') AS TABLE
    FROM query_table('{_SHADOWS}."' || table_name || '"')
"""


def shadow(table: str, columns: Iterable[Column]) -> str:
    """An empty table for the shadow reader, with the columns that a published one has."""
    definitions = ", ".join(definition(column) for column in columns)
    return f"CREATE TABLE {_SHADOWS}.{identifier(table)} ({definitions}, _deleted BOOLEAN)"


def create_view(relation: str, stream: Stream, snapshot: Path, delta: Path) -> str:
    """The stream's view: the snapshot's rows the delta does not know, and the delta's rows.

    The snapshot comes first because DuckDB opens the files in this order, which the publisher
    relies on; the delta is named once and materialized, because each mention may open another
    file. docs/adr/0002-duckdb-publish.md tells why that is enough.
    """
    columns = [identifier(column.name) for column in stream.columns]
    key, table = identifier(stream.key), literal(stream.name)
    return f"""
        CREATE VIEW {relation} AS
        WITH delta AS MATERIALIZED (
            SELECT * FROM read_duckdb({literal(delta)}, table_name := {table}))
        SELECT {", ".join(f"s.{column}" for column in columns)}
        FROM read_duckdb({literal(snapshot)}, table_name := {table}) AS s
        WHERE NOT EXISTS (
            SELECT 1 FROM delta AS d WHERE d._source = s._source AND d.{key} = s.{key})
        UNION ALL
        SELECT {", ".join(columns)} FROM delta WHERE NOT _deleted
    """


def create_whole_view(relation: str, columns: Iterable[Column], file: Path, table: str) -> str:
    """The view of a table that is published whole, in a file of its own."""
    names = ", ".join(identifier(column.name) for column in columns)
    return f"""
        CREATE VIEW {relation} AS
        SELECT {names} FROM read_duckdb({literal(file)}, table_name := {literal(table)})
    """


def view_comment(relation: str, text: str) -> str:
    """The comment on a view, whose quoted name is given."""
    return f"COMMENT ON VIEW {relation} IS {literal(text)}"
