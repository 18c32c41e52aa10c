"""Writing a batch: copied into a staging table, merged from there, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.sql import SQL, Identifier

from zimun_connectors.postgres import sql
from zimun_connectors.postgres.connection import Connection
from zimun_connectors.postgres.errors import is_of_a_row, reason
from zimun_connectors.postgres.ledger import Ledger
from zimun_connectors.postgres.values import StagedRow, staged_rows
from zimun_sync.sinks import Batch, Rejection, WriteResult

#: From so many rows on the planner is told how many they are: it would take them for a few.
_ANALYZED_ROWS: Final = 1_000


@dataclass(slots=True)
class Writer:
    """Applies batches to tables that are there.

    Args:
        connection: the sink's connection.
        schema: where the tables are.
        ledger: knows the adoption, and records how far each stream came.
    """

    connection: Connection
    schema: str
    ledger: Ledger

    def write(self, batch: Batch) -> WriteResult:
        """Write what the tables do not hold yet, and how far the stream came."""
        rows, rejected = staged_rows(batch)
        with self.connection.transaction():
            applied, refused = self._apply(batch, rows)
            self.ledger.advance(batch)
        rejected += refused
        unchanged = len(batch) - applied - len(rejected)
        return WriteResult(applied, unchanged, tuple(rejected))

    def _apply(self, batch: Batch, rows: Sequence[StagedRow]) -> tuple[int, list[Rejection]]:
        """Merge the rows; where the server refuses, halve them until it is one row's fault."""
        if not rows:
            return 0, []
        try:
            with self.connection.transaction():
                return self._merge(batch, rows), []
        except psycopg.Error as error:
            if not is_of_a_row(error):
                raise
            if len(rows) == 1:
                return 0, [Rejection(rows[0].key, *reason(error))]
        middle = len(rows) // 2
        first, second = (self._apply(batch, half) for half in (rows[:middle], rows[middle:]))
        return first[0] + second[0], first[1] + second[1]

    def _merge(self, batch: Batch, rows: Sequence[StagedRow]) -> int:
        """How many rows of the table were inserted, updated or deleted."""
        self._stage(batch, rows)
        where = (self.schema, batch.stream, batch.source)
        if any(head.deleted for head in batch.heads):
            self.connection.execute(sql.bury(*where))
        return self.connection.execute(sql.merge(*where, self.ledger.adoption)).rowcount

    def _stage(self, batch: Batch, rows: Sequence[StagedRow]) -> None:
        staging = sql.staging(batch.stream)
        # Empty after each commit, but not after the other half of the same batch.
        self.connection.execute(SQL("DELETE FROM {}").format(staging))
        with (
            self.connection.cursor() as cursor,
            cursor.copy(sql.copy(batch.stream)) as copying,
        ):
            copying.set_types(sql.copy_types(batch.stream))
            for row in rows:
                copying.write_row(row.values)
        if len(rows) >= _ANALYZED_ROWS:
            # Of the keys only: what it samples of people would stay in the server's statistics.
            self.connection.execute(
                SQL("ANALYZE {} (_source, {})").format(staging, Identifier(batch.stream.key))
            )
