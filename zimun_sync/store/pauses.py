"""Sources that a person paused: nothing is pulled for them, and their inbox only fills."""

import sqlalchemy as sa

from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.schema import pauses


class Pauses:
    """Pauses and resumes sources.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, source: str) -> None:
        """Pause a source; one that is paused stays so."""
        statement = self._database.upsert(pauses).values(source=source, since=micros(self._clock))
        with self._database.write(durable=True) as connection:
            connection.execute(statement.on_conflict_do_nothing())

    def remove(self, source: str) -> bool:
        """Let a source go on; tells whether it was paused."""
        with self._database.write(durable=True) as connection:
            removed = connection.execute(sa.delete(pauses).where(pauses.c.source == source))
            return removed.rowcount > 0

    def all(self) -> dict[str, int]:
        """Paused sources, and since when, microseconds since the epoch, UTC."""
        with self._database.read() as connection:
            return {row.source: row.since for row in connection.execute(sa.select(pauses))}
