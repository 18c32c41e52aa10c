"""Columns that the configuration promoted once: emptied, or made anew with another type.

They are known by their comments. A column that is no longer promoted stays, for somebody's view
may show it; its values are gone, as they are from every other sink.
"""

from collections.abc import Mapping

import psycopg
from psycopg.sql import SQL, Identifier

from zimun_connectors.postgres import sql
from zimun_connectors.postgres.config import PostgresSettings
from zimun_connectors.postgres.connection import Connection
from zimun_sync.errors import SinkBroken
from zimun_sync.model import Stream
from zimun_sync.promoting import had_type, retired_comment, was_promoted

#: Comments of a table's columns by name.
Comments = Mapping[str, str | None]


def retire(
    connection: Connection, settings: PostgresSettings, stream: Stream, found: Comments
) -> Comments:
    """Bring a table's promoted columns to what the stream promotes; new ones are not added.

    Returns:
        What is left of the table's columns.

    Raises:
        SinkBroken: a view depends on a column whose type is another one now.
    """
    wanted = {column.name: column.type for column in stream.promoted}
    left = dict(found)
    for name, comment in found.items():
        if comment is None or not was_promoted(comment):
            continue
        if name not in wanted:
            left[name] = _empty(connection, settings, stream, name, comment)
        elif not had_type(comment, wanted[name]):
            _drop(connection, settings, stream, name)
            del left[name]
    return left


def _empty(
    connection: Connection, settings: PostgresSettings, stream: Stream, name: str, comment: str
) -> str:
    retired = retired_comment(comment)
    if comment != retired:
        connection.execute(
            SQL("UPDATE {} SET {column} = NULL WHERE {column} IS NOT NULL").format(
                sql.table(settings.schema_name, stream.name), column=Identifier(name)
            )
        )
        connection.execute(sql.comment(settings.schema_name, stream.name, name, retired))
    return retired


def _drop(connection: Connection, settings: PostgresSettings, stream: Stream, name: str) -> None:
    try:
        connection.execute(
            SQL("ALTER TABLE {} DROP COLUMN {}").format(
                sql.table(settings.schema_name, stream.name), Identifier(name)
            )
        )
    except psycopg.errors.DependentObjectsStillExist as error:
        raise SinkBroken(
            f"{settings.place}: the promoted column {name!r} of {stream.name!r} has another type "
            "now, and a view of somebody's depends on it.",
            hint="Drop that view and make it again afterwards, or promote the field under "
            "another column's name.",
        ) from error
