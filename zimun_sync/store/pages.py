"""A page's records, its quarantine and the token after it, in one fenced transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.normalize import Normalized, Refused
from zimun_sync.store import quarantine
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.listings import Listings
from zimun_sync.store.merge import NOTHING_OVERRULED, Incoming, Standing, Verdict, judge
from zimun_sync.store.quarantine import SOURCE_SIDE
from zimun_sync.store.runs import Run, count_changes, turn_page
from zimun_sync.store.schema import history, records, sources

_LOCK = sa.select(sources.c.seq).where(sources.c.name == sa.bindparam("source")).with_for_update()
_DRAW = (
    sa.update(sources)
    .where(sources.c.name == sa.bindparam("source"))
    .values(seq=sources.c.seq + sa.bindparam("count"))
    .returning(sources.c.seq)
)
_NAMES = [column.name for column in records.columns]


@dataclass(frozen=True, slots=True)
class PageRecords:
    """A fetched page, normalized.

    Args:
        records: what could be normalized.
        refused: what could not.
        next_page_token: the checkpoint to commit with it; None after the last page.
        requested_at: when the page was asked for, by the server's clock, microseconds UTC.
    """

    records: Sequence[Normalized]
    refused: Sequence[Refused]
    next_page_token: str | None
    requested_at: int


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What a committed page did.

    Args:
        run: the run with its new checkpoint and counts.
        changed: records that stand anew, or differently.
        disputed: keys whose standing version must be confirmed by id.
    """

    run: Run
    changed: int
    disputed: tuple[str, ...] = ()


class _Arrival(NamedTuple):
    """A record on its way in, with its version and the first one that had this content."""

    record: Normalized
    version: int
    since: int
    correction: int = 0
    overruled: int = NOTHING_OVERRULED


class _Stamp(NamedTuple):
    """What every row of one transaction shares."""

    listing: int
    run_id: str
    now: int


@dataclass(slots=True)
class _Sorted:
    """Arrivals by verdict."""

    changed: list[_Arrival] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    refreshed: list[tuple[_Arrival, int]] = field(default_factory=list)
    late: list[_Arrival] = field(default_factory=list)
    disputed: list[str] = field(default_factory=list)


class Pages:
    """Commits what a listing brings.

    Args:
        database: the store's connections.
        listings: numbers of listings.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, listings: Listings, clock: Clock) -> None:
        self._database = database
        self._listings = listings
        self._clock = clock
        insert = database.upsert(records)
        self._add = insert.values(dict.fromkeys(_NAMES))
        self._put = insert.values(dict.fromkeys(_NAMES)).on_conflict_do_update(
            index_elements=["listing", "key"],
            set_={name: insert.excluded[name] for name in _NAMES[2:]},
        )
        columns = [records.c.key, *(records.c[name] for name in Standing._fields)]
        self._find = sa.select(*columns).where(
            records.c.listing == sa.bindparam("listing"),
            database.among(records.c.key, sa.bindparam("values")),
        )
        self._keep_late = (
            database.upsert(history)
            .values(dict.fromkeys(column.name for column in history.columns))
            .on_conflict_do_nothing()
        )

    def commit(self, lease: Lease, run: Run, page: PageRecords) -> PageOutcome:
        """Store a page and the checkpoint after it; all of it or nothing.

        Raises:
            LeaseLost: another process took over; nothing was written.
            StoreError: the state could not be written; nothing was.
        """
        now = micros(self._clock)
        arrivals = _newest_by_key(page.records, page.requested_at)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            sorted_ = self._take(connection, run, arrivals, page.requested_at, now)
            place = (run.source, run.stream, SOURCE_SIDE)
            refused = quarantine.without_dropped(connection, place, page.refused)
            quarantine.put(self._database, connection, place, refused, (run.run_id, now))
            quarantine.close(connection, place, arrivals.keys())
            counts = {
                "pages": 1,
                "records": len(page.records) + len(page.refused),
                "changed": len(sorted_.changed),
                "quarantined": len(refused),
            }
            times = (page.requested_at, now)
            advanced = turn_page(connection, run, counts, page.next_page_token, times)
        return PageOutcome(advanced, len(sorted_.changed), tuple(sorted_.disputed))

    def take_in(self, lease: Lease, run: Run, record: Normalized, asked_at: int) -> Run:
        """Merge one record outside its listing, such as one that comes out of quarantine.

        Raises:
            LeaseLost: another process took over; nothing was written.
        """
        now = micros(self._clock)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            arrivals = _newest_by_key([record], asked_at)
            sorted_ = self._take(connection, run, arrivals, asked_at, now)
            return count_changes(connection, run, len(sorted_.changed), now)

    def correct(self, lease: Lease, run: Run, answer: Normalized, asked_at: int) -> Run:
        """Make the answer of a `GET` by id stand, whatever version stood before.

        Raises:
            LeaseLost: another process took over; nothing was written.
        """
        now = micros(self._clock)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            lock_source(connection, run.source)
            standing = self._standing(connection, run, [answer.key]).get(answer.key)
            version = _version(answer, asked_at)
            arrival = _Arrival(answer, version, version)
            sorted_ = _Sorted()
            if standing is None or standing.hash != answer.hash or standing.deleted:
                sorted_.changed.append(_overruling(arrival, standing))
                sorted_.superseded.append(answer.key)
            self._store(connection, run, sorted_, now)
            return count_changes(connection, run, len(sorted_.changed), now)

    def _take(
        self,
        connection: Connection,
        run: Run,
        arrivals: Mapping[str, Normalized],
        asked_at: int,
        now: int,
    ) -> _Sorted:
        lock_source(connection, run.source)
        standing = self._standing(connection, run, list(arrivals))
        sorted_ = _sort(arrivals, standing, asked_at)
        self._store(connection, run, sorted_, now)
        return sorted_

    def _store(self, connection: Connection, run: Run, sorted_: _Sorted, now: int) -> None:
        changed = sorted(sorted_.changed, key=_key)  # neighbours in the key index go in together
        self._supersede(connection, run, sorted_.superseded, now)
        last = draw_seqs(connection, run.source, len(changed))
        first = last - len(changed) + 1
        at = _Stamp(self._listing(connection, run), run.run_id, now)
        new = [_record_row(at, arrival, seq) for seq, arrival in enumerate(changed, start=first)]
        refreshed = [_record_row(at, arrival, seq) for arrival, seq in sorted_.refreshed]
        known = sorted_.superseded or refreshed
        self._database.insert_many(connection, self._put if known else self._add, new + refreshed)
        late = [_history_row(at, arrival) for arrival in sorted_.late]
        self._database.insert_many(connection, self._keep_late, late)

    def _listing(self, connection: Connection, run: Run) -> int:
        return self._listings.number(connection, run.source, run.stream)

    def _standing(
        self, connection: Connection, run: Run, keys: Sequence[str]
    ) -> dict[str, Standing]:
        listing = self._listing(connection, run)
        among = self._database.list_of(keys)
        rows = connection.execute(self._find, {"listing": listing, "values": among})
        return {row[0]: Standing._make(row[1:]) for row in rows.all()}

    def _supersede(self, connection: Connection, run: Run, keys: Sequence[str], now: int) -> None:
        """Keep the versions that are about to be replaced."""
        if not keys:
            return
        names = [column.name for column in history.columns if column.name != "superseded_at"]
        old = sa.select(*(records.c[name] for name in names), sa.literal(now)).where(
            records.c.listing == self._listing(connection, run),
            self._database.among(records.c.key, self._database.list_of(keys)),
        )
        keep = self._database.upsert(history).from_select([*names, "superseded_at"], old)
        connection.execute(keep.on_conflict_do_nothing())


def _newest_by_key(page: Sequence[Normalized], asked_at: int) -> dict[str, Normalized]:
    """One record a key; of a record that the page repeats the greatest version counts."""
    newest = {record.key: record for record in page}
    if len(newest) < len(page):
        for record in page:
            if _rank(record, asked_at) > _rank(newest[record.key], asked_at):
                newest[record.key] = record
    return newest


def _rank(record: Normalized, asked_at: int) -> tuple[int, bytes]:
    return _version(record, asked_at), record.hash


def _version(record: Normalized, asked_at: int) -> int:
    """The source's version; where it gives none, when it was asked."""
    return asked_at if record.updated_at is None else record.updated_at


def _key(arrival: _Arrival) -> str:
    return arrival.record.key


def _overruling(arrival: _Arrival, standing: Standing | None) -> _Arrival:
    if standing is None:
        return arrival
    overruled = max(standing.overruled, standing.version)
    return arrival._replace(correction=standing.correction + 1, overruled=overruled)


def _sort(
    arrivals: Mapping[str, Normalized], standing: Mapping[str, Standing], asked_at: int
) -> _Sorted:
    sorted_ = _Sorted()
    for key, record in arrivals.items():
        version = _version(record, asked_at)
        arrival = _Arrival(record, version, version)
        present = standing.get(key)
        if present is None:
            sorted_.changed.append(arrival)
        else:
            _sort_known(sorted_, arrival, present, asked_at)
    return sorted_


def _sort_known(sorted_: _Sorted, arrival: _Arrival, present: Standing, asked_at: int) -> None:
    record = arrival.record
    incoming = Incoming(
        arrival.version,
        deleted=False,
        hash=record.hash,
        row_hash=record.row_hash,
        asked_at=asked_at,
    )
    match judge(present, incoming):
        case Verdict.CHANGE:
            sorted_.changed.append(_inheriting(arrival, present))
            sorted_.superseded.append(record.key)
        case Verdict.REFRESH:
            refreshed = _inheriting(arrival, present)._replace(since=present.since)
            sorted_.refreshed.append((refreshed, present.seq))
        case Verdict.LATE:
            sorted_.late.append(_inheriting(arrival, present))
        case Verdict.DISPUTED:
            sorted_.disputed.append(record.key)
        case Verdict.NOTHING:
            pass


def _inheriting(arrival: _Arrival, standing: Standing) -> _Arrival:
    if not standing.correction:
        return arrival
    return arrival._replace(correction=standing.correction, overruled=standing.overruled)


def lock_source(connection: Connection, source: str) -> None:
    """Make every other writer of this source wait until we commit."""
    connection.execute(_LOCK, {"source": source})


def draw_seqs(connection: Connection, source: str, count: int) -> int:
    """Take `count` sequence numbers; returns the last one."""
    if not count:
        return 0
    last = connection.execute(_DRAW, {"source": source, "count": count}).scalar_one()
    return int(last)


def _record_row(at: _Stamp, arrival: _Arrival, seq: int) -> tuple[Any, ...]:
    record, version, since, correction, overruled = arrival
    return (
        at.listing,
        record.key,
        seq,
        correction,
        overruled,
        version,
        since,
        False,
        record.hash,
        record.row_hash,
        record.row,
        record.raw,
        at.run_id,
        at.now,
    )


def _history_row(at: _Stamp, arrival: _Arrival) -> tuple[Any, ...]:
    record, version, since, correction, _ = arrival
    return (
        at.listing,
        record.key,
        correction,
        version,
        record.hash,
        since,
        False,
        record.row,
        at.run_id,
        at.now,
        at.now,
    )
