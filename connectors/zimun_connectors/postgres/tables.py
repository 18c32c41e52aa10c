"""The schema's tables: made, extended, commented and opened to readers; never dropped."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from psycopg.sql import SQL, Identifier

from zimun_connectors.postgres import freshness, model, promoted, sql
from zimun_connectors.postgres.config import NAME_BYTES, PostgresSettings
from zimun_connectors.postgres.connection import Connection
from zimun_sync.errors import SinkBroken
from zimun_sync.freshness import TABLE
from zimun_sync.model import Stream

_COLUMNS: Final = """
    SELECT c.relname, a.attname, col_description(c.oid, a.attnum)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = %(schema)s AND c.relname = ANY (%(names)s)
    UNION ALL
    SELECT c.relname, '', obj_description(c.oid, 'pg_class')
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %(schema)s AND c.relname = ANY (%(names)s)
"""
_INDEXES: Final = "SELECT indexname FROM pg_indexes WHERE schemaname = %(schema)s"

_UNREADABLE: Final = """
    SELECT role, name FROM unnest(%(roles)s::text[]) AS role, unnest(%(names)s::text[]) AS name
    WHERE NOT has_table_privilege(role, format('%%I.%%I', %(schema)s::text, name), 'SELECT')
"""
_SHUT: Final = """
    SELECT role FROM unnest(%(roles)s::text[]) AS role
    WHERE NOT has_schema_privilege(role, %(schema)s, 'USAGE')
"""


@dataclass(frozen=True, slots=True)
class _Catalog:
    """What is there: comments by table and column (the table's own under ''), and indexes."""

    tables: Mapping[str, Mapping[str, str | None]]
    indexes: frozenset[str]


@dataclass(slots=True)
class Tables:
    """The schema of one open sink.

    Args:
        connection: the sink's connection.
        settings: the sink's settings.
    """

    connection: Connection
    settings: PostgresSettings
    _ready: dict[str, Stream] = field(default_factory=dict)

    @property
    def _schema(self) -> str:
        return self.settings.schema_name

    def ensure_schema(self) -> None:
        """Create the schema where it is missing; that may take a right the sink need not have."""
        found = self.connection.execute(
            "SELECT 1 FROM pg_namespace WHERE nspname = %s", [self._schema]
        )
        if found.fetchone() is None:
            self.connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(self._schema)))

    def ensure(self, streams: Iterable[Stream]) -> None:
        """Create what the streams lack: tables, columns, indexes, comments, grants. Idempotent.

        Raises:
            SinkBroken: something else has a table's name, or a name is too long.
        """
        new = [stream for stream in streams if self._ready.get(stream.name) != stream]
        if not new:
            return
        with self.connection.transaction():
            catalog = self._catalog([stream.name for stream in new])
            for stream in new:
                self._ensure_table(stream, catalog)
                self.connection.execute(sql.create_staging(stream))
            self._publish([stream.name for stream in new])
        self._ready |= {stream.name: stream for stream in new}

    def _catalog(self, names: list[str]) -> _Catalog:
        wanted = {"schema": self._schema, "names": names}
        tables: dict[str, dict[str, str | None]] = {}
        for name, column, text in self.connection.execute(_COLUMNS, wanted):
            tables.setdefault(name, {})[column] = text
        indexes = self.connection.execute(_INDEXES, wanted)
        return _Catalog(tables, frozenset(name for (name,) in indexes))

    def _ensure_table(self, stream: Stream, catalog: _Catalog) -> None:
        _refuse_long_names(stream)
        found = catalog.tables.get(stream.name)
        if found is None:
            found = {}
            self.connection.execute(sql.create_table(self._schema, stream))
        else:
            self._refuse_foreign(stream.name, sql.OWN_COLUMNS, found)
            found = promoted.retire(self.connection, self.settings, stream, found)
            for column in stream.columns:
                if column.name not in found:
                    self.connection.execute(sql.add_column(self._schema, stream, column))
        for name, statement in sql.indexes(self._schema, stream).items():
            if name not in catalog.indexes:
                self.connection.execute(statement)
        for name, text in sql.comments(stream).items():
            if found.get(name) != text:
                self.connection.execute(sql.comment(self._schema, stream.name, name, text))

    def ensure_freshness(self) -> None:
        """Create the table `freshness` with its comments, and open it to readers. Idempotent.

        Raises:
            SinkBroken: something else has its name.
        """
        with self.connection.transaction():
            found = self._catalog([TABLE]).tables.get(TABLE)
            if found is None:
                self.connection.execute(freshness.create_table(self._schema))
            else:
                self._refuse_foreign(TABLE, freshness.COMMENTS, found)
            for name, text in freshness.COMMENTS.items():
                if found is None or found.get(name) != text:
                    self.connection.execute(sql.comment(self._schema, TABLE, name, text))
            self._publish([TABLE])

    def ensure_model(self) -> None:
        """Make the model's views where they are wanted, and open them to readers. Idempotent.

        Raises:
            SinkBroken: they cannot be made without touching what somebody else made.
        """
        if self.settings.model:
            with self.connection.transaction():
                self._publish(model.ensure(self.connection, self.settings))

    def _refuse_foreign(self, name: str, own: Iterable[str], columns: Iterable[str]) -> None:
        if not set(own) <= set(columns):
            raise SinkBroken(
                f"{self.settings.place}: {name!r} is there already and is not a table of "
                "zimun-sync.",
                hint="Choose another `schema` for the sink, or move that table away.",
            )

    # -- readers -------------------------------------------------------------------------

    def _publish(self, names: list[str]) -> None:
        """Let the roles in `publish` read the tables; grant only what they lack."""
        roles = list(self.settings.publish.roles)
        wanted = {"schema": self._schema, "roles": roles, "names": names}
        for (role,) in self.connection.execute(_SHUT, wanted).fetchall():
            self.connection.execute(
                SQL("GRANT USAGE ON SCHEMA {} TO {}").format(
                    Identifier(self._schema), Identifier(role)
                )
            )
        for role, name in self.connection.execute(_UNREADABLE, wanted).fetchall():
            self.connection.execute(
                SQL("GRANT SELECT ON {} TO {}").format(
                    sql.table(self._schema, name), Identifier(role)
                )
            )
        self._refuse_ungranted(wanted)

    def _refuse_ungranted(self, wanted: Mapping[str, object]) -> None:
        """Without the right to pass it on, GRANT only warns."""
        left = self.connection.execute(_SHUT, wanted).fetchall()
        left += self.connection.execute(_UNREADABLE, wanted).fetchall()
        if left:
            raise SinkBroken(
                f"{self.settings.place}: the sink's user may not let {left[0][0]!r} read there.",
                hint="Make that user the schema's owner: ALTER SCHEMA … OWNER TO …",
            )


def _refuse_long_names(stream: Stream) -> None:
    names = [stream.name, *(column.name for column in stream.columns)]
    long = next((name for name in names if len(name.encode()) > NAME_BYTES), None)
    if long is not None:
        raise SinkBroken(
            f"The name {long!r} is too long for PostgreSQL, which keeps {NAME_BYTES} bytes.",
            hint="Rename that column in the configuration.",
        )
