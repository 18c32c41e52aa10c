"""The sink's own tables: which store fills the schema, and how far it came."""

from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg.sql import SQL, Literal

from zimun_connectors.common.identity import refuse_other_store
from zimun_connectors.postgres import sql
from zimun_connectors.postgres.config import PostgresSettings
from zimun_connectors.postgres.connection import Connection
from zimun_sync.errors import SinkBroken
from zimun_sync.sinks import Batch, SinkContext

#: Version of the sink's own tables; a newer one is refused.
FORMAT: Final = 1

_EXISTS: Final = "SELECT to_regclass(format('%%I.%%I', %s::text, %s::text)) IS NOT NULL"


@dataclass(slots=True)
class Ledger:
    """What the schema records of the store that fills it.

    Args:
        connection: the sink's connection.
        settings: the sink's settings.
        adoption: how often the schema was given to another store; rows of an earlier one carry
            sequences that say nothing.
    """

    connection: Connection
    settings: PostgresSettings
    adoption: int = 0

    def take(self, context: SinkContext) -> None:
        """Record the context's store in a schema that belongs to none.

        Raises:
            SinkBroken: another store fills the schema, or this one fell behind it.
        """
        self._ensure()
        ((found, store_id, self.adoption),) = self._rows(
            "SELECT format, store_id, adoption FROM {store}"
        )
        if found > FORMAT:
            raise SinkBroken(
                f"{self.settings.place} was written by a newer release (format {found}; this one "
                f"knows {FORMAT}).",
                hint="Upgrade zimun-sync, or give the sink another `schema`: it fills from the "
                "store.",
            )
        positions = self._rows("SELECT source, max(seq) FROM {position} GROUP BY source")
        refuse_other_store(context, store_id, dict(positions))
        if store_id is None and not context.adopting:
            self._run("UPDATE {store} SET store_id = {}", context.store_id)

    def adopt(self, store_id: str) -> None:
        """Belong to that store; sequences known so far mean nothing any more."""
        with self.connection.transaction():
            self._run("UPDATE {store} SET store_id = {}, adoption = adoption + 1", store_id)
            self._run("DELETE FROM {position}")
            self._run("DELETE FROM {tombstone}")
        self.adoption += 1

    def advance(self, batch: Batch) -> None:
        """Record that the batch is written."""
        place = (batch.stream.name, batch.source, batch.last_seq)
        self.connection.execute(sql.advance(self.settings.schema_name, *place))

    def _ensure(self) -> None:
        name = [self.settings.schema_name, sql.SYSTEM_TABLES[0]]
        if self.connection.execute(_EXISTS, name).fetchall() == [(True,)]:
            return
        self.connection.execute(sql.create_system_tables(self.settings.schema_name))
        self._run("INSERT INTO {store} VALUES ({}, NULL, 0)", FORMAT)

    def _rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        names = sql.system_tables(self.settings.schema_name)
        return self.connection.execute(SQL(statement).format(**names)).fetchall()

    def _run(self, statement: LiteralString, *values: object) -> None:
        names = sql.system_tables(self.settings.schema_name)
        self.connection.execute(SQL(statement).format(*map(Literal, values), **names))
