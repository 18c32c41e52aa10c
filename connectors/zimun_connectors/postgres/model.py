"""The model's views beside the tables: made, and replaced when their definition has changed.

A view's comment tells that it is ours and which definition it has, so that a dump takes both
along. Whatever somebody else made, under our names or on top of our views, stays as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from zimun_connectors.postgres import sql
from zimun_connectors.postgres.config import PostgresSettings
from zimun_connectors.postgres.connection import Connection
from zimun_sync.errors import SinkBroken
from zimun_sync.marts import Model, models, render

_OURS: Final = re.compile(r"Made by zimun-sync; definition [0-9a-f]{12}\.$")
_DIGITS: Final = 12

_FOUND: Final = """
    SELECT c.relname, c.relkind = 'v', coalesce(obj_description(c.oid, 'pg_class'), '')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY (%(names)s)
"""


@dataclass(frozen=True, slots=True)
class _View:
    """One view as it should be.

    Args:
        model: what it shows.
        query: its SELECT statement.
    """

    model: Model
    query: str

    @classmethod
    def of(cls, model: Model, schema: str) -> Self:
        naming = lambda name: sql.table(schema, name).as_string()  # noqa: E731 - short
        return cls(model, render(model.name, "postgres", naming))

    @property
    def comment(self) -> str:
        columns = "".join(column.comment for column in self.model.relation.columns)
        definition = sha256(f"{self.query}{columns}".encode()).hexdigest()[:_DIGITS]
        return f"{self.model.relation.comment} Made by zimun-sync; definition {definition}."


def ensure(connection: Connection, settings: PostgresSettings) -> list[str]:
    """Bring the views up to date; idempotent. To be called in a transaction.

    Returns:
        Their names.

    Raises:
        SinkBroken: something else has a view's name, or somebody's view stands in the way of a
            new definition.
    """
    wanted = [_View.of(model, settings.schema_name) for model in models()]
    names = [view.model.name for view in wanted]
    found = _found(connection, settings, names)
    stale = [view for view in wanted if found.get(view.model.name) != view.comment]
    try:
        with connection.transaction():
            for view in stale:
                _write(connection, settings.schema_name, view)
    except psycopg.errors.InvalidTableDefinition:  # only at the end columns may be added
        _make_anew(connection, settings, wanted, found)
    return names


def _found(
    connection: Connection, settings: PostgresSettings, names: list[str]
) -> Mapping[str, str]:
    """Comments of those of the views that are there."""
    wanted = {"schema": settings.schema_name, "names": names}
    found = {}
    for name, is_view, comment in connection.execute(_FOUND, wanted):
        if not is_view or not _OURS.search(comment):
            raise SinkBroken(
                f"{settings.place}: {name!r} is there already and is not a view of zimun-sync.",
                hint="Rename it, choose another `schema` for the sink, or do without our views: "
                "`model: false`.",
            )
        found[name] = comment
    return found


def _write(connection: Connection, schema: str, view: _View) -> None:
    name = view.model.name
    place = sql.table(schema, name)
    connection.execute(
        SQL("CREATE OR REPLACE VIEW {} AS {}").format(place, sql.trusted(view.query))
    )
    connection.execute(SQL("COMMENT ON VIEW {} IS {}").format(place, Literal(view.comment)))
    for column in view.model.relation.columns:
        connection.execute(
            SQL("COMMENT ON COLUMN {} IS {}").format(
                Identifier(schema, name, column.name), Literal(column.comment)
            )
        )


def _make_anew(
    connection: Connection,
    settings: PostgresSettings,
    wanted: list[_View],
    found: Mapping[str, str],
) -> None:
    """Drop all of ours, last first, and make them again: or leave all as it is."""
    try:
        with connection.transaction():
            for view in reversed(wanted):
                if view.model.name in found:
                    place = sql.table(settings.schema_name, view.model.name)
                    connection.execute(SQL("DROP VIEW {}").format(place))
            for view in wanted:
                _write(connection, settings.schema_name, view)
    except psycopg.errors.DependentObjectsStillExist as error:
        detail = (error.diag.message_detail or "").partition("\n")[0]
        raise SinkBroken(
            f"{settings.place}: a view of this release has other columns than the one that is "
            f"there, on which something else depends: {detail}.",
            hint="Drop what depends on it, and make it again when the sink is resumed; or do "
            "without new views: `model: false`.",
        ) from error
