"""Records that a complete listing missed: found, held back or due, and buried on proof."""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.model import STREAMS
from zimun_sync.normalize.tombstones import tombstone
from zimun_sync.store import quarantine
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.days import Days
from zimun_sync.store.keys import of_keys
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.listings import Listings
from zimun_sync.store.merging import Arrival, Merger, Origin
from zimun_sync.store.quarantine import SOURCE_SIDE
from zimun_sync.store.run import Run
from zimun_sync.store.runs import count_tombstones
from zimun_sync.store.schema import missing, records, seen, sources
from zimun_sync.store.seen import set_bits

_CHUNK: Final = 5_000
#: Sequences read as one value.
_WINDOW: Final = 50_000
_NEW: Final = "new"  # only within the transaction of `find`
#: Whatever moves out of a rolling window does so every working day.
_LATELY: Final = 7 * 24 * 3600 * 1_000_000


class MissingState(StrEnum):
    """What a missing record waits for."""

    HELD = "held"  #: too many went missing at once: a person's approval
    DUE = "due"  #: being asked for by id, or buried where a stream has no by-id
    ONCE = "once"  #: a second complete listing, where a stream has no by-id
    UNLISTED = "unlisted"  #: the next complete listing: it answered by id all the same


class Brake(Struct, frozen=True):
    """How many records may go missing at once: the larger of the two.

    Args:
        share: of the stream's records.
        least: records.
    """

    share: float
    least: int

    def stops(self, missing_now: int, held: int) -> bool:
        """Whether so many of those that are held need a person's approval."""
        return missing_now > max(self.least, self.share * held)


class Missed(Struct, frozen=True):
    """What a complete listing did not bring.

    Args:
        held: records of the stream that are not deleted.
        newly: of these, missing without having been due before.
        braked: whether the newly missing wait for approval.
        futile: whether listing again would not help: those held back before are enough to wait
            for approval; or, where nothing is held back, what this API has lately left out of a
            listing and answered by id stayed out.
    """

    held: int
    newly: int
    braked: bool
    futile: bool = False


class Missing:
    """Finds and buries what is gone from the source.

    Args:
        database: the store's connections.
        listings: numbers of listings.
        merger: the merge law.
        clock: aware UTC now.
    """

    def __init__(
        self, database: Database, listings: Listings, merger: Merger, clock: Clock
    ) -> None:
        self._database = database
        self._listings = listings
        self._merger = merger
        self._clock = clock

    def find(
        self, lease: Lease, run: Run, brake: Brake, *, by_id: bool, days: Days | None = None
    ) -> Missed:
        """Take down what a complete listing missed.

        What was stored since the run began is left out: the listing may have passed its place.

        Args:
            lease: the source's lease.
            run: with its last page stored.
            brake: how much may go missing at once.
            by_id: whether single records can be asked for; without it a record is due once two
                complete listings missed it.
            days: leave records of other days out, and count those of different days once.

        Raises:
            LeaseLost: another process took over; nothing was written.
        """
        unseen, total = self._unseen(run, days)
        now = micros(self._clock)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            listing = self._listings.number(connection, run.source, run.stream)
            here, deleted = missing.c.listing == listing, 0
            never_listed = self._unlisted(connection, run, here, now - _LATELY)
            for start in range(0, len(unseen), _CHUNK):
                among = sa.and_(
                    records.c.listing == listing,
                    records.c.seq.in_(unseen[start : start + _CHUNK].tolist()),
                )
                self._take_down(connection, run, among, now)
                deleted += _count(connection, records, among, records.c.deleted.is_(True))
            if self._unlisted(connection, run, here, 0):
                never_listed = 0  # some of them are listed again: they had moved
            connection.execute(sa.delete(missing).where(here, missing.c.run_id != run.run_id))
            if run.passes > 1:
                self._forget_seen(connection, run, here, unseen)
            held, newly = total - deleted, _count(connection, missing, here, _undecided())
            if days is not None:
                held = days.count(connection, records, *_present(listing))
                newly = days.count(connection, missing, here, _undecided())
            braked = brake.stops(newly, held)
            former = _count(connection, missing, here, missing.c.state == MissingState.HELD)
            futile = brake.stops(former, held) if braked else never_listed > 0
            state = MissingState.DUE if by_id else MissingState.ONCE
            _set(connection, here & _undecided(), MissingState.HELD if braked else state)
        return Missed(held, newly, braked, futile)

    def _unlisted(
        self, connection: Connection, run: Run, here: sa.ColumnElement[bool], since: int
    ) -> int:
        """How many answered by id in an earlier run, which missed them, the first one `since`."""
        earlier = (missing.c.run_id != run.run_id) & (missing.c.missed_at >= since)
        return _count(connection, missing, here, missing.c.state == MissingState.UNLISTED, earlier)

    def _unseen(self, run: Run, days: Days | None) -> tuple["array[int]", int]:
        """Sequences of the stream that the run's pages did not bring, and how many it has."""
        within = sa.true() if days is None else days.within(records.c.key)
        pages = sa.select(seen.c["keys"]).where(seen.c.run_id == run.run_id)
        head = sa.select(sources.c.seq).where(sources.c.name == run.source)
        unseen, total = array("Q"), 0
        with self._database.read() as connection:
            bits = bytearray(connection.execute(head).scalar_one() // 8 + 1)
            for packed in connection.execute(pages.execution_options(yield_per=100)).scalars():
                set_bits(bits, packed)
            for chunk in self._held(connection, run, within):
                total += len(chunk)
                unseen.extend([seq for seq in chunk if not bits[seq >> 3] & (1 << (seq & 7))])
        return unseen, total

    def _held(
        self, connection: Connection, run: Run, within: sa.ColumnElement[bool]
    ) -> Iterator[list[int]]:
        """Sequences of the stream's records, so many at once."""
        listing, after = self._listings.number(connection, run.source, run.stream), -1
        beyond = records.c.seq > sa.bindparam("after")
        some = sa.select(records.c.seq).where(records.c.listing == listing, beyond, within)
        window = some.order_by(records.c.seq).limit(_WINDOW).subquery()
        query = sa.select(self._database.all_of(window.c.seq))
        while seqs := self._database.read_all(
            connection.execute(query, {"after": after}).scalar_one()
        ):
            yield seqs
            after = max(seqs)

    def _take_down(
        self, connection: Connection, run: Run, among: sa.ColumnElement[bool], now: int
    ) -> None:
        found = sa.select(
            records.c.listing,
            records.c.key,
            sa.literal(_NEW),
            sa.literal(run.run_id),
            sa.literal(now, sa.BigInteger),
        ).where(among, records.c.deleted.is_(False), records.c.observed_at < run.started_at)
        insert = self._database.upsert(missing).from_select(missing.columns.keys(), found)
        twice = sa.and_(missing.c.state == MissingState.ONCE, missing.c.run_id != run.run_id)
        anew = sa.and_(missing.c.state == MissingState.UNLISTED, missing.c.run_id != run.run_id)
        again: dict[str, Any] = {
            "state": sa.case((sa.or_(twice, anew), MissingState.DUE), else_=missing.c.state),
            "run_id": run.run_id,
        }
        connection.execute(
            insert.on_conflict_do_update(index_elements=["listing", "key"], set_=again)
        )

    def _forget_seen(
        self,
        connection: Connection,
        run: Run,
        here: sa.ColumnElement[bool],
        unseen: "array[int]",
    ) -> None:
        """Forget what an earlier pass of the same run missed, and a later one brought."""
        lost = list(connection.execute(sa.select(missing.c.key).where(here)).scalars())
        listing = self._listings.number(connection, run.source, run.stream)
        query = sa.select(records.c.key, records.c.seq).where(
            of_keys(self._database, listing, self._database.list_of(lost))
        )
        missed = {*unseen}
        self._forget(
            connection,
            run,
            [row.key for row in connection.execute(query) if row.seq not in missed],
        )

    def drifted(self, run: Run) -> bool:
        """Whether a record answered by id that this listing missed, and none before it."""
        with self._database.read() as connection:
            there = self._at(connection, run.source, run.stream, MissingState.UNLISTED)
            new = (missing.c.run_id == run.run_id) & (missing.c.missed_at >= run.started_at)
            return _count(connection, missing, there, new) > 0

    def due(self, source: str, stream: str, limit: int, days: Days | None = None) -> list[str]:
        """Keys that are due, of these days where that is given; those missed first in front."""
        within = sa.true() if days is None else days.within(missing.c.key)
        with self._database.read() as connection:
            query = (
                sa.select(missing.c.key)
                .where(self._at(connection, source, stream, MissingState.DUE), within)
                .order_by(missing.c.missed_at, missing.c.key)
                .limit(limit)
            )
            return list(connection.execute(query).scalars())

    def count(self, source: str, stream: str, state: MissingState) -> int:
        """How many missing records of a stream wait for that."""
        with self._database.read() as connection:
            return _count(connection, missing, self._at(connection, source, stream, state))

    def held(self, source: str, stream: str, days: Days) -> int:
        """How many records of these days there are, those of different days counted once."""
        with self._database.read() as connection:
            listing = self._listings.number(connection, source, stream)
            return days.count(connection, records, *_present(listing))

    def keys(self, source: str, stream: str) -> set[str]:
        """Keys of records that the last complete listing missed, and that may be gone."""
        with self._database.read() as connection:
            listing = self._listings.number(connection, source, stream)
            query = sa.select(missing.c.key).where(
                missing.c.listing == listing, missing.c.state != MissingState.UNLISTED
            )
            return set(connection.execute(query).scalars())

    def listed(self, run: Run, limit: int) -> list[str]:
        """Keys of some records that the run's listing did bring."""
        with self._database.read() as connection:
            listing = self._listings.number(connection, run.source, run.stream)
            lost = sa.select(missing.c.key).where(missing.c.listing == listing)
            brought = sa.or_(records.c.run_id == run.run_id, records.c.observed_at < run.started_at)
            query = (
                sa.select(records.c.key)
                .where(
                    records.c.listing == listing,
                    records.c.deleted.is_(False),
                    records.c.key.not_in(lost),
                    brought,
                )
                .order_by(records.c.seq.desc())
                .limit(limit)
            )
            return list(connection.execute(query).scalars())

    def approve(self, run_id: str) -> int:
        """Let what a run found missing be deleted on proof; returns how many records that is."""
        with self._database.write(durable=True) as connection:
            held = sa.and_(missing.c.run_id == run_id, missing.c.state == MissingState.HELD)
            return _set(connection, held, MissingState.DUE)

    def found(self, lease: Lease, run: Run, keys: Collection[str]) -> None:
        """Note that these are there: they answered by id."""
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            _set(connection, self._among(connection, run, keys), MissingState.UNLISTED)

    def bury(self, lease: Lease, run: Run, gone: Mapping[str, int]) -> Run:
        """Put tombstones where records are known to be gone.

        Args:
            lease: the source's lease.
            run: the run that missed them.
            gone: when each one's absence was asked for, by key, microseconds UTC.

        Raises:
            LeaseLost: another process took over; nothing was written.
        """
        now = micros(self._clock)
        origin = Origin(run.source, run.stream, run.run_id)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            rows = self._rows(connection, run, gone)
            buried = sum(
                self._bury(connection, origin, _tombstone(run.stream, key, row, gone[key]), now)
                for key, row in rows.items()
            )
            place = (run.source, run.stream, SOURCE_SIDE)
            quarantine.close(connection, place, gone.keys())
            self._forget(connection, run, gone.keys())
            return count_tombstones(connection, run, buried, now)

    def _bury(self, connection: Connection, origin: Origin, arrival: Arrival, now: int) -> int:
        key, asked_at = arrival.record.key, arrival.version
        sorted_ = self._merger.take(connection, origin, {key: arrival}, asked_at, now)
        if sorted_.disputed:  # the API was asked by id: its answer stands
            sorted_ = self._merger.overrule(connection, origin, arrival, now)
        return len(sorted_.changed)

    def _rows(self, connection: Connection, run: Run, keys: Iterable[str]) -> dict[str, bytes]:
        """Packed rows of records that are not deleted."""
        listing = self._listings.number(connection, run.source, run.stream)
        query = sa.select(records.c.key, records.c.row).where(
            of_keys(self._database, listing, self._database.list_of(sorted(keys))),
            records.c.deleted.is_(False),
        )
        return {found.key: found.row for found in connection.execute(query)}

    def _forget(self, connection: Connection, run: Run, keys: Iterable[str]) -> None:
        connection.execute(sa.delete(missing).where(self._among(connection, run, keys)))

    def _among(
        self, connection: Connection, run: Run, keys: Iterable[str]
    ) -> sa.ColumnElement[bool]:
        listing = self._listings.number(connection, run.source, run.stream)
        among = self._database.among(missing.c.key, self._database.list_of(sorted(keys)))
        return sa.and_(missing.c.listing == listing, among)

    def _at(
        self, connection: Connection, source: str, stream: str, state: MissingState
    ) -> sa.ColumnElement[bool]:
        listing = self._listings.number(connection, source, stream)
        return sa.and_(missing.c.listing == listing, missing.c.state == state)


def _undecided() -> sa.ColumnElement[bool]:
    return missing.c.state.in_([_NEW, MissingState.HELD])


def _present(listing: int) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return records.c.listing == listing, records.c.deleted.is_(False)


def _set(connection: Connection, which: sa.ColumnElement[bool], state: MissingState) -> int:
    return connection.execute(sa.update(missing).where(which).values(state=state)).rowcount


def _count(connection: Connection, table: sa.Table, *which: sa.ColumnElement[bool]) -> int:
    return int(
        connection.execute(sa.select(sa.func.count()).select_from(table).where(*which)).scalar_one()
    )


def _tombstone(stream: str, key: str, row: bytes, asked_at: int) -> Arrival:
    record = tombstone(STREAMS[stream], key, row, asked_at)
    return Arrival(record, asked_at, asked_at, deleted=True)
