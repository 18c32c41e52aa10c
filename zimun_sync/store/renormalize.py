"""Normalizing stored raw content again, when the normalizer or what it knows has changed."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.errors import RecordInvalid
from zimun_sync.normalize import Normalized, Normalizer, Refused, hash_of
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.forgettings import remember
from zimun_sync.store.history import History
from zimun_sync.store.keys import of_listing
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.listings import Listings
from zimun_sync.store.merging import draw_seqs, lock_source
from zimun_sync.store.quarantine import SOURCE_SIDE, close, put, without_dropped
from zimun_sync.store.restating import PastRows, owned, restated_row
from zimun_sync.store.schema import quarantine, records, sources

#: The run of quarantine entries that new rules made, and no listing.
RENORMALIZED: Final = "renormalized"
_ROWS: Final = 1_000


class _Stored(NamedTuple):
    """A stored record."""

    id: int
    key: str
    deleted: bool
    hash: bytes
    row: bytes
    raw: bytes


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
        self._history = History(database)
        self._past = PastRows(database)
        self._update = (
            sa.update(records)
            .where(records.c.id == sa.bindparam("at_id"))
            .values(
                seq=sa.bindparam("new_seq"),
                hash=sa.bindparam("new_hash"),
                row=sa.bindparam("new_row"),
                row_hash=sa.bindparam("new_row_hash"),
                raw=sa.bindparam("new_raw"),
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
        """Normalize one stream again; returns how many rows came out different.

        A record that the new rules cannot read keeps its values and goes to quarantine.

        Raises:
            LeaseLost: another process took over.
        """
        self._retry_quarantined(source, normalizer.stream.name)
        self._restate_history(lease, source, normalizer)
        changed, after = 0, 0
        while True:
            with self._database.write(durable=False) as connection:
                check(connection, lease)
                lock_source(connection, source)
                listing = self._listings.number(connection, source, normalizer.stream.name)
                batch = self._batch(connection, listing, after)
                if not batch:
                    return changed
                after = batch[-1].id
                changed += self._rewrite(connection, source, normalizer, batch)

    def _restate_history(self, lease: Lease, source: str, normalizer: Normalizer) -> None:
        after = ""
        while True:
            with self._database.write(durable=False) as connection:
                check(connection, lease)
                lock_source(connection, source)
                listing = self._listings.number(connection, source, normalizer.stream.name)
                last = self._past.restate(connection, source, listing, normalizer, after)
            if last is None:
                return
            after = last

    def _batch(self, connection: Connection, listing: int, after: int) -> list[_Stored]:
        rows = connection.execute(
            sa.select(*(records.c[name] for name in _Stored._fields))
            .where(of_listing(listing), records.c.id > after)
            .order_by(records.c.id)
            .limit(_ROWS)
        )
        return [_Stored._make(row) for row in rows]

    def _rewrite(
        self,
        connection: Connection,
        source: str,
        normalizer: Normalizer,
        batch: Sequence[_Stored],
    ) -> int:
        again = _again(normalizer, batch)
        refused = [each for each in again if isinstance(each, Refused)]
        kept = {each.key for each in refused}
        renewed = [
            _renewed(normalizer, stored, each) for stored, each in zip(batch, again, strict=True)
        ]
        different = [new for new, stored in zip(renewed, batch, strict=True) if new != stored]
        self._move_quarantine(
            connection,
            (source, normalizer.stream.name, SOURCE_SIDE),
            refused,
            [stored.key for stored in batch if stored.key not in kept and not stored.deleted],
        )
        listing = self._listings.number(connection, source, normalizer.stream.name)
        first = draw_seqs(connection, source, len(different)) - len(different) + 1
        now = micros(self._clock)
        updates = [
            {
                "at_id": new.id,
                "new_seq": seq,
                "new_hash": new.hash,
                "new_row": new.row,
                "new_row_hash": hash_of(new.row),
                "new_raw": new.raw,
                "new_time": now,
            }
            for seq, new in enumerate(different, start=first)
        ]
        if updates:
            connection.execute(self._update, updates)
            seqs = {new.key: seq for seq, new in enumerate(different, start=first)}
            self._history.follow(connection, listing, seqs)
            scrubbed = [
                stored
                for new, stored in zip(renewed, batch, strict=True)
                if _is_scrubbed(normalizer, stored, new)
            ]
            at = (source, normalizer.stream.name)
            keys = [stored.key for stored in scrubbed]
            remember(self._database, connection, at, keys, owned(normalizer.scrubber, scrubbed))
        return len(different)

    def _move_quarantine(
        self,
        connection: Connection,
        place: tuple[str, str, str],
        refused: Sequence[Refused],
        readable: Sequence[str],
    ) -> None:
        entered = without_dropped(connection, place, refused)
        put(self._database, connection, place, entered, (RENORMALIZED, micros(self._clock)))
        close(connection, place, readable)

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


def _again(normalizer: Normalizer, batch: Sequence[_Stored]) -> list[Normalized | Refused | None]:
    """The new forms, or why there is none; None for what is deleted and has no raw content."""
    readable = [stored for stored in batch if stored.raw and not stored.deleted]
    raws = normalizer.scrubber.items([stored.raw for stored in readable])
    found = zip(raws, normalizer.normalize_each(raws), strict=True)
    return [
        _or_refused(stored, *next(found)) if stored.raw and not stored.deleted else None
        for stored in batch
    ]


def _or_refused(
    stored: _Stored, raw: bytes, found: Normalized | RecordInvalid
) -> Normalized | Refused:
    if isinstance(found, RecordInvalid):
        return Refused(stored.key, found.code, found.message, raw)
    return found


def _renewed(
    normalizer: Normalizer, stored: _Stored, again: Normalized | Refused | None
) -> _Stored:
    """A stored record as it should be."""
    if isinstance(again, Normalized):
        content = stored.hash if again.raw == stored.raw else again.hash
        return stored._replace(hash=content, row=again.row, raw=again.raw)
    row = restated_row(normalizer, stored.key, stored.row)
    if again is None or again.raw is None or again.raw == stored.raw:
        return stored._replace(row=row)
    return stored._replace(hash=hash_of(again.raw), row=row, raw=again.raw)


def _is_scrubbed(normalizer: Normalizer, stored: _Stored, new: _Stored) -> bool:
    """Whether something about people who asked to be forgotten was in it."""
    if not normalizer.scrubber:
        return False
    return new.raw != stored.raw or (not stored.raw and new.row != stored.row)
