"""A page's records, its quarantine and the token after it, in one fenced transaction."""

from collections.abc import Iterable, Sequence
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
from zimun_sync.store.runs import Run, advance
from zimun_sync.store.schema import history, records, sources

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
    """A record on its way in: what judging needs, and what storing needs."""

    record: Normalized
    incoming: Incoming
    correction: int
    overruled: int


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
        self._put = insert.values(dict.fromkeys(_NAMES)).on_conflict_do_update(
            index_elements=["listing", "key"],
            set_={name: insert.excluded[name] for name in _NAMES[2:]},
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
            sorted_ = self._take(connection, run, arrivals, now)
            place = (run.source, run.stream, SOURCE_SIDE)
            refused = quarantine.without_dropped(connection, place, page.refused)
            quarantine.put(self._database, connection, place, refused, (run.run_id, now))
            quarantine.close(connection, place, arrivals.keys())
            advanced = advance(connection, run, *_progress(page, sorted_, len(refused), run, now))
        return PageOutcome(advanced, len(sorted_.changed), tuple(sorted_.disputed))

    def take_in(self, lease: Lease, run: Run, record: Normalized, asked_at: int) -> Run:
        """Merge one record outside its listing, such as one that comes out of quarantine.

        Raises:
            LeaseLost: another process took over; nothing was written.
        """
        now = micros(self._clock)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            sorted_ = self._take(connection, run, _newest_by_key([record], asked_at), now)
            return advance(connection, run, {"changed": len(sorted_.changed)}, {"updated_at": now})

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
            arrival = _arrival(answer, asked_at)
            sorted_ = _Sorted()
            if standing is None or standing.hash != answer.hash or standing.deleted:
                sorted_.changed.append(_overruling(arrival, standing))
                sorted_.superseded.append(answer.key)
            self._store(connection, run, sorted_, now)
            return advance(connection, run, {"changed": len(sorted_.changed)}, {"updated_at": now})

    def _take(
        self, connection: Connection, run: Run, arrivals: dict[str, _Arrival], now: int
    ) -> _Sorted:
        lock_source(connection, run.source)
        standing = self._standing(connection, run, list(arrivals))
        sorted_ = _sort(arrivals, standing)
        self._store(connection, run, sorted_, now)
        return sorted_

    def _store(self, connection: Connection, run: Run, sorted_: _Sorted, now: int) -> None:
        changed = sorted_.changed
        self._supersede(connection, run, sorted_.superseded, now)
        last = draw_seqs(connection, run.source, len(changed))
        first = last - len(changed) + 1
        at = _Stamp(self._listing(connection, run), run.run_id, now)
        new = [_record_row(at, arrival, seq) for seq, arrival in enumerate(changed, start=first)]
        refreshed = [_record_row(at, arrival, seq) for arrival, seq in sorted_.refreshed]
        self._database.insert_many(connection, self._put, new + refreshed)
        late = [_history_row(at, arrival) for arrival in sorted_.late]
        self._database.insert_many(connection, self._keep_late, late)

    def _listing(self, connection: Connection, run: Run) -> int:
        return self._listings.number(connection, run.source, run.stream)

    def _standing(
        self, connection: Connection, run: Run, keys: Sequence[str]
    ) -> dict[str, Standing]:
        columns = [records.c.key, *(records.c[name] for name in Standing._fields)]
        rows = connection.execute(
            sa.select(*columns).where(
                records.c.listing == self._listing(connection, run),
                self._database.among(records.c.key, keys),
            )
        )
        return {row[0]: Standing(*row[1:]) for row in rows.all()}

    def _supersede(self, connection: Connection, run: Run, keys: Sequence[str], now: int) -> None:
        """Keep the versions that are about to be replaced."""
        if not keys:
            return
        names = [column.name for column in history.columns if column.name != "superseded_at"]
        old = sa.select(*(records.c[name] for name in names), sa.literal(now)).where(
            records.c.listing == self._listing(connection, run),
            self._database.among(records.c.key, keys),
        )
        keep = self._database.upsert(history).from_select([*names, "superseded_at"], old)
        connection.execute(keep.on_conflict_do_nothing())


def _newest_by_key(page: Iterable[Normalized], requested_at: int) -> dict[str, _Arrival]:
    """One arrival a key; a page that repeats a record counts its greatest version."""
    newest: dict[str, _Arrival] = {}
    for record in page:
        arrival = _arrival(record, requested_at)
        other = newest.get(record.key)
        if other is None or _rank(other) < _rank(arrival):
            newest[record.key] = arrival
    return newest


def _rank(arrival: _Arrival) -> tuple[int, bytes]:
    return arrival.incoming.version, arrival.incoming.hash


def _arrival(record: Normalized, asked_at: int) -> _Arrival:
    version = asked_at if record.updated_at is None else record.updated_at
    incoming = Incoming(version, False, record.hash, record.row_hash, asked_at)  # noqa: FBT003
    return _Arrival(record, incoming, 0, NOTHING_OVERRULED)


def _overruling(arrival: _Arrival, standing: Standing | None) -> _Arrival:
    if standing is None:
        return arrival
    overruled = max(standing.overruled, standing.version)
    return arrival._replace(correction=standing.correction + 1, overruled=overruled)


def _sort(arrivals: dict[str, _Arrival], standing: dict[str, Standing]) -> _Sorted:
    sorted_ = _Sorted()
    for key, arrival in arrivals.items():
        present = standing.get(key)
        match judge(present, arrival.incoming):
            case Verdict.CHANGE:
                sorted_.changed.append(_inheriting(arrival, present))
                if present is not None:
                    sorted_.superseded.append(key)
            case Verdict.REFRESH if present is not None:
                sorted_.refreshed.append((_inheriting(arrival, present), present.seq))
            case Verdict.LATE:
                sorted_.late.append(_inheriting(arrival, present))
            case Verdict.DISPUTED:
                sorted_.disputed.append(key)
            case _:
                pass
    return sorted_


def _inheriting(arrival: _Arrival, standing: Standing | None) -> _Arrival:
    if standing is None or not standing.correction:
        return arrival
    return arrival._replace(correction=standing.correction, overruled=standing.overruled)


def lock_source(connection: Connection, source: str) -> None:
    """Make every other writer of this source wait until we commit."""
    connection.execute(sa.select(sources.c.seq).where(sources.c.name == source).with_for_update())


def draw_seqs(connection: Connection, source: str, count: int) -> int:
    """Take `count` sequence numbers; returns the last one."""
    if not count:
        return 0
    last = connection.execute(
        sa.update(sources)
        .where(sources.c.name == source)
        .values(seq=sources.c.seq + count)
        .returning(sources.c.seq)
    ).scalar_one()
    return int(last)


def _record_row(at: _Stamp, arrival: _Arrival, seq: int) -> tuple[Any, ...]:
    record, incoming, correction, overruled = arrival
    return (
        at.listing,
        record.key,
        seq,
        correction,
        overruled,
        incoming.version,
        incoming.deleted,
        record.hash,
        record.row_hash,
        record.row,
        record.raw,
        at.run_id,
        at.now,
    )


def _history_row(at: _Stamp, arrival: _Arrival) -> tuple[Any, ...]:
    record, incoming, correction, _ = arrival
    return (
        at.listing,
        record.key,
        correction,
        incoming.version,
        record.hash,
        incoming.deleted,
        record.row,
        at.run_id,
        at.now,
        at.now,
    )


def _progress(
    page: PageRecords, sorted_: _Sorted, quarantined: int, run: Run, now: int
) -> tuple[dict[str, int], dict[str, Any]]:
    counts = {
        "pages": 1,
        "records": len(page.records) + len(page.refused),
        "changed": len(sorted_.changed),
        "quarantined": quarantined,
    }
    values: dict[str, Any] = {"page_token": page.next_page_token, "updated_at": now}
    if run.pages == 0:
        values["listing_requested_at"] = page.requested_at
    return counts, values
