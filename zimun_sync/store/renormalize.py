"""Normalizing stored raw content again, when the normalizer or what it knows has changed."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.errors import RecordInvalid
from zimun_sync.normalize import Normalized, Normalizer
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.listings import Listings
from zimun_sync.store.merging import draw_seqs, lock_source
from zimun_sync.store.quarantine import SOURCE_SIDE
from zimun_sync.store.schema import quarantine, records, sources

_ROWS = 1_000


class Renormalizer:
    """Rewrites rows in batches; killed anywhere, it begins again and changes nothing twice.

    Args:
        database: the store's connections.
        listings: numbers of listings.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, listings: Listings, clock: Clock) -> None:
        self._database = database
        self._listings = listings
        self._clock = clock
        self._update = (
            sa.update(records)
            .where(
                records.c.listing == sa.bindparam("at_listing"),
                records.c.key == sa.bindparam("at_key"),
            )
            .values(
                seq=sa.bindparam("new_seq"),
                row=sa.bindparam("new_row"),
                row_hash=sa.bindparam("new_hash"),
                observed_at=sa.bindparam("new_time"),
            )
        )

    def is_current(self, source: str, fingerprint: str) -> bool:
        """Whether the source's rows were normalized with exactly these rules and places."""
        return self.fingerprint(source) == fingerprint

    def fingerprint(self, source: str) -> str:
        """Of the rules and places that all of the source's rows were last normalized with."""
        query = sa.select(sources.c.normalized_with).where(sources.c.name == source)
        with self._database.read() as connection:
            found: str = connection.execute(query).scalar_one()
        return found

    def begin(self, lease: Lease, source: str) -> None:
        """Say that the source's rows are being gone through.

        Whoever normalized a record before this, and wants to store it after, is turned away:
        it might come behind the place where its row is looked at.

        Raises:
            LeaseLost: another process took over.
        """
        self.mark_current(lease, source, "")

    def mark_current(self, lease: Lease, source: str, fingerprint: str) -> None:
        """Record that every stream of the source was gone through."""
        with self._database.write(durable=True) as connection:
            check(connection, lease)
            connection.execute(
                sa.update(sources)
                .where(sources.c.name == source)
                .values(normalized_with=fingerprint)
            )

    def run(self, lease: Lease, source: str, normalizer: Normalizer) -> int:
        """Normalize one stream again; returns how many rows came out different."""
        changed, after = 0, ""
        while True:
            with self._database.write(durable=False) as connection:
                check(connection, lease)
                lock_source(connection, source)
                listing = self._listings.number(connection, source, normalizer.stream.name)
                batch = self._batch(connection, listing, after)
                if not batch:
                    break
                after = batch[-1][0]
                changed += self._rewrite(connection, source, normalizer, batch)
        self._retry_quarantined(source, normalizer.stream.name)
        return changed

    def _batch(
        self, connection: Connection, listing: int, after: str
    ) -> list[tuple[str, bytes, bytes]]:
        rows = connection.execute(
            sa.select(records.c.key, records.c.row_hash, records.c.raw)
            .where(
                records.c.listing == listing,
                records.c.key > after,
                records.c.deleted.is_(False),
            )
            .order_by(records.c.key)
            .limit(_ROWS)
        )
        return [(key, row_hash, raw) for key, row_hash, raw in rows]

    def _rewrite(
        self,
        connection: Connection,
        source: str,
        normalizer: Normalizer,
        batch: Sequence[tuple[str, bytes, bytes]],
    ) -> int:
        again = [_again(normalizer, raw) for _, _, raw in batch]
        different = [
            (key, new)
            for (key, row_hash, _), new in zip(batch, again, strict=True)
            if new is not None and new.row_hash != row_hash
        ]
        listing = self._listings.number(connection, source, normalizer.stream.name)
        first = draw_seqs(connection, source, len(different)) - len(different) + 1
        now = micros(self._clock)
        updates = [
            {
                "at_listing": listing,
                "at_key": key,
                "new_seq": seq,
                "new_row": new.row,
                "new_hash": new.row_hash,
                "new_time": now,
            }
            for seq, (key, new) in enumerate(different, start=first)
        ]
        if updates:
            connection.execute(self._update, updates)
        return len(different)

    def _retry_quarantined(self, source: str, stream: str) -> None:
        """What could not be read before may be readable now."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                sa.update(quarantine)
                .where(
                    quarantine.c.source == source,
                    quarantine.c.stream == stream,
                    quarantine.c.sink == SOURCE_SIDE,
                    quarantine.c.status == "open",
                )
                .values(status="retry")
            )


def _again(normalizer: Normalizer, raw: bytes) -> Normalized | None:
    """The new form; None keeps the old row where the new rules cannot read the content."""
    try:
        return normalizer.normalize(raw)
    except RecordInvalid:
        return None
