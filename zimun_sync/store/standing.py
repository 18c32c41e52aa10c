"""What stands of records, for comparing it with what their source lists now."""

from collections.abc import Collection, Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.model import APPOINTMENTS
from zimun_sync.store.database import Database
from zimun_sync.store.keys import of_keys
from zimun_sync.store.listings import Listings
from zimun_sync.store.merge import Standing
from zimun_sync.store.schema import history, records
from zimun_sync.store.timeline import key_of

_COLUMNS = (records.c.key, *(records.c[name] for name in Standing._fields))
_KEYS_AT_ONCE = 10_000


class StandingRecords:
    """Looks records up as the merge law sees them; only reads.

    Args:
        database: the store's connections.
        listings: numbers of listings.
    """

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings

    def of(self, source: str, stream: str, keys: Collection[str]) -> dict[str, Standing]:
        """What stands of these records, by key; deleted ones tell so."""
        with self._database.read() as connection:
            listing = self._listings.number(connection, source, stream)
            query = sa.select(*_COLUMNS).where(
                of_keys(self._database, listing, self._database.list_of(sorted(keys)))
            )
            return {row[0]: Standing._make(row[1:]) for row in connection.execute(query)}

    def keys(self, source: str, stream: str) -> Iterator[str]:
        """Keys of the records that are not deleted, each once; what changes meanwhile may count.

        Read a part at a time, so that no transaction stays open while the caller works.
        """
        after = 0
        while found := self._after(source, stream, after):
            yield from (key for key, _ in found)
            after = found[-1][1]

    def _after(self, source: str, stream: str, after: int) -> list[tuple[str, int]]:
        with self._database.read() as connection:
            query = (
                sa.select(records.c.key, records.c.seq)
                .where(
                    self._of(connection, source, stream),
                    records.c.deleted.is_(False),
                    records.c.seq > after,
                )
                .order_by(records.c.seq)
                .limit(_KEYS_AT_ONCE)
            )
            return [(row.key, row.seq) for row in connection.execute(query)]

    def past_their_time(self, source: str, version_ids: Collection[str]) -> set[str]:
        """Those of these versions whose appointment had older versions let go of."""
        keys = sorted({key_of(each) for each in version_ids})
        with self._database.read() as connection:
            query = sa.select(history.c.key).where(
                history.c.listing == self._listings.number(connection, source, APPOINTMENTS.name),
                history.c.pruned,
                self._database.among(history.c.key, self._database.list_of(keys)),
            )
            pruned = set(connection.execute(query).scalars())
        return {each for each in version_ids if key_of(each) in pruned}

    def _of(self, connection: Connection, source: str, stream: str) -> sa.ColumnElement[bool]:
        return records.c.listing == self._listings.number(connection, source, stream)
