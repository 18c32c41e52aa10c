"""Small numbers for (source, stream) pairs: keys of the large tables stay short."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.database import Database
from zimun_sync.store.schema import listings

_NONE = 0  # no row has it


class Listings:
    """Numbers of listings, cached: once given, a number stands for ever.

    Args:
        database: the store's connections.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[str, str], int] = {}

    def add(self, connection: Connection, source: str, streams: Iterable[str]) -> None:
        """Give every stream of a source its number; nothing happens to those that have one."""
        # Not by trying: PostgreSQL uses a number up each time, and records have to fit behind it.
        query = sa.select(listings.c.stream).where(listings.c.source == source)
        known = set(connection.execute(query).scalars())
        new = [{"source": source, "stream": name} for name in streams if name not in known]
        if new:
            connection.execute(self._database.upsert(listings).on_conflict_do_nothing(), new)

    def number(self, connection: Connection, source: str, stream: str) -> int:
        """The listing's number; one that stands for nothing if the source was never added."""
        known = self._known.get((source, stream))
        if known is None:
            query = sa.select(listings.c.id).where(
                listings.c.source == source, listings.c.stream == stream
            )
            known = connection.execute(query).scalar_one_or_none()
            if known is None:
                return _NONE
            self._known[source, stream] = known
        return known
