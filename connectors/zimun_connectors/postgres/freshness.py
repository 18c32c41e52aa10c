"""The table `freshness`: what the engine shows of the last pull, replaced as a whole."""

from collections.abc import Sequence

from psycopg.sql import SQL, Composed, Identifier, Literal

from zimun_connectors.postgres import sql
from zimun_connectors.postgres.connection import Connection
from zimun_sync.freshness import ABOUT, COLUMNS, TABLE, Freshness

#: The table's comment under an empty name, and those of its columns.
COMMENTS = {"": ABOUT} | {column.name: column.comment for column in COLUMNS}


def create_table(schema: str) -> Composed:
    """The table; a row is one stream of one source."""
    return SQL("CREATE TABLE {} ({}, PRIMARY KEY (_source, stream))").format(
        sql.table(schema, TABLE), sql.definitions(COLUMNS)
    )


def show(connection: Connection, schema: str, rows: Sequence[Freshness]) -> None:
    """Put these rows in place of all others; readers see the former ones or these."""
    table = sql.table(schema, TABLE)
    names = SQL(", ").join(Identifier(column.name) for column in COLUMNS)
    with connection.transaction():
        connection.execute(SQL("DELETE FROM {}").format(table))
        for row in rows:
            values = SQL(", ").join(map(Literal, row.values))
            connection.execute(SQL("INSERT INTO {} ({}) VALUES ({})").format(table, names, values))
