"""Merging versions into the change feed, inside a transaction that someone else owns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.normalize import Normalized
from zimun_sync.store.database import Database
from zimun_sync.store.history import History
from zimun_sync.store.keys import Keys, record_id
from zimun_sync.store.listings import Listings
from zimun_sync.store.merge import NOTHING_OVERRULED, Incoming, Standing, Verdict, judge
from zimun_sync.store.schema import records, sources

#: `asked_at` of versions that nobody asked for: they lose in silence, and start no dispute.
NEVER_ASKED = -(2**63)

_LOCK = sa.select(sources.c.seq).where(sources.c.name == sa.bindparam("source")).with_for_update()
_DRAW = (
    sa.update(sources)
    .where(sources.c.name == sa.bindparam("source"))
    .values(seq=sources.c.seq + sa.bindparam("count"))
    .returning(sources.c.seq)
)
_NAMES = [column.name for column in records.columns]
#: What a record keeps for ever.
_STAYS = ("id", "listing", "key")
_NO_SEQ = 0  # drawn once it is known that the version is new


class Origin(NamedTuple):
    """Where versions come from: source, stream, and the run that brings them."""

    source: str
    stream: str
    run_id: str


class Arrival(NamedTuple):
    """A version on its way in, and the first one that had this content."""

    record: Normalized
    version: int
    since: int
    correction: int = 0
    overruled: int = NOTHING_OVERRULED
    deleted: bool = False


class _Stamp(NamedTuple):
    """What every row of one transaction shares."""

    listing: int
    run_id: str
    now: int


@dataclass(slots=True)
class Sorted:
    """Arrivals by verdict.

    Args:
        changed: they stand from now on.
        superseded: number in the store, by key, of those whose standing version moves to history.
        refreshed: nothing new to sinks, with what stands.
        late: they only belong into history, at the time they tell; with what stands.
        disputed: keys whose standing version has to be confirmed by id.
        seqs: by key, the sequence of every record that arrived, whatever became of it.
        former: sequences that those which changed had before.
    """

    changed: list[Arrival] = field(default_factory=list)
    superseded: dict[str, int] = field(default_factory=dict)
    refreshed: list[tuple[Arrival, Standing]] = field(default_factory=list)
    late: list[tuple[Arrival, Standing]] = field(default_factory=list)
    disputed: list[str] = field(default_factory=list)
    seqs: dict[str, int] = field(default_factory=dict)
    former: list[int] = field(default_factory=list)


class Merger:
    """Applies the merge law to rows of the change feed.

    Args:
        database: the store's connections.
        listings: numbers of listings.
    """

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings
        insert = database.upsert(records)
        # Whatever fails ends the transaction: SQLite need not keep the former content of each
        # page that the rows touch, in a file, for taking back this one statement.
        self._add = insert.values(dict.fromkeys(_NAMES)).prefix_with(
            "OR ROLLBACK", dialect="sqlite"
        )
        self._put = insert.values(dict.fromkeys(_NAMES)).on_conflict_do_update(
            index_elements=["id"],
            set_={name: insert.excluded[name] for name in _NAMES if name not in _STAYS},
        )
        # What was learnt, and when, stays: nothing new was. So does the row that sinks were told
        # of: where rules have changed since it was made, it is renormalizing that replaces it.
        kept = (*_STAYS, "run_id", "observed_at", "row", "row_hash")
        self._refresh = insert.values(dict.fromkeys(_NAMES)).on_conflict_do_update(
            index_elements=["id"],
            set_={name: insert.excluded[name] for name in _NAMES if name not in kept},
        )
        columns = [records.c.key, *(records.c[name] for name in Standing._fields)]
        self._keys = Keys(database, columns)
        self._history = History(database)

    def take(
        self,
        connection: Connection,
        origin: Origin,
        arrivals: Mapping[str, Arrival],
        asked_at: int,
        now: int,
        standing: Mapping[str, Standing] | None = None,
    ) -> Sorted:
        """Merge at most one version a key.

        Args:
            connection: in a transaction.
            origin: where they come from.
            arrivals: by key.
            asked_at: when the source was asked for them, microseconds; or `NEVER_ASKED`.
            now: the store's clock, microseconds.
            standing: what stands of these records, for those who have locked the source and
                know it.
        """
        if not arrivals:
            return Sorted()
        if standing is None:
            lock_source(connection, origin.source)
            standing = self.standing(connection, origin, list(arrivals))
        sorted_ = _sort(arrivals, standing, asked_at)
        self.store(connection, origin, sorted_, now)
        return sorted_

    def overrule(
        self, connection: Connection, origin: Origin, arrival: Arrival, now: int
    ) -> Sorted:
        """Let a version stand, whatever stood before; the same content changes nothing."""
        lock_source(connection, origin.source)
        key = arrival.record.key
        standing = self.standing(connection, origin, [key]).get(key)
        sorted_ = Sorted()
        if not _same(standing, arrival):
            sorted_.changed.append(_overruling(arrival, standing))
            if standing is not None:
                sorted_.superseded[key] = standing.id
        self.store(connection, origin, sorted_, now)
        return sorted_

    def standing(
        self, connection: Connection, origin: Origin, keys: Sequence[str]
    ) -> dict[str, Standing]:
        """What stands of these records, by key."""
        rows = self._keys.find(connection, self._listing(connection, origin), keys)
        return {row[0]: Standing._make(row[1:]) for row in rows}

    def store(self, connection: Connection, origin: Origin, sorted_: Sorted, now: int) -> None:
        """Write what was decided."""
        changed = sorted(sorted_.changed, key=_key)  # neighbours in the key index go in together
        listing, known = self._listing(connection, origin), sorted_.superseded
        self._history.supersede(connection, known.values(), now)
        last = draw_seqs(connection, origin.source, len(changed))
        drawn = range(last - len(changed) + 1, last + 1)
        seqs = dict(zip(map(_key, changed), drawn, strict=True))
        new = {key: record_id(listing, seq) for key, seq in seqs.items() if key not in known}
        at = _Stamp(listing, origin.run_id, now)
        insert = self._database.insert_many
        insert(connection, self._add, _record_rows(at, changed, seqs, new))
        insert(connection, self._put, _record_rows(at, changed, seqs, known))
        insert(connection, self._refresh, _refreshed_rows(at, sorted_.refreshed))
        self._keys.add(connection, listing, new)
        self._history.follow(connection, listing, {key: seqs[key] for key in known})
        self._keep_late(connection, origin, at, sorted_.late)
        sorted_.seqs |= seqs

    def settle(self, connection: Connection, origin: Origin) -> None:
        """Bring what was put off in a long listing to its end, when that is read."""
        self._keys.settle(connection, self._listing(connection, origin))

    def keep_older(
        self, connection: Connection, origin: Origin, arrival: Arrival, now: int
    ) -> None:
        """Keep a version in history that did not compete, if it is older than what stands."""
        standing = self.standing(connection, origin, [arrival.record.key]).get(arrival.record.key)
        if standing is None or arrival.version >= standing.since:
            return
        if not _same(standing, arrival):
            at = _Stamp(self._listing(connection, origin), origin.run_id, now)
            self._keep_late(connection, origin, at, [(arrival, standing)])

    def _keep_late(
        self,
        connection: Connection,
        origin: Origin,
        at: _Stamp,
        late: Sequence[tuple[Arrival, Standing]],
    ) -> None:
        rows = [_history_row(at, arrival, _NO_SEQ) for arrival, _ in late]
        rows = self._history.unknown(connection, rows)
        last = draw_seqs(connection, origin.source, len(rows))
        first = last - len(rows) + 1
        numbered = [(*row[:-1], seq) for seq, row in enumerate(rows, start=first)]
        ids = {arrival.record.key: standing.id for arrival, standing in late}
        self._history.add_late(connection, numbered, ids)

    def _listing(self, connection: Connection, origin: Origin) -> int:
        return self._listings.number(connection, origin.source, origin.stream)


def arrivals_of(records: Sequence[Normalized], asked_at: int) -> list[Arrival]:
    """Versions as the source gives them; where it gives none, when they were asked for or told."""
    versions = [asked_at if each.updated_at is None else each.updated_at for each in records]
    usual = map(repeat, (0, NOTHING_OVERRULED, False))
    made = zip(records, versions, versions, *usual, strict=False)
    # Spares the call of a constructor in Python for each.
    return list(map(tuple.__new__, repeat(Arrival), made))


def arrival_of(record: Normalized, asked_at: int) -> Arrival:
    """The version of one record."""
    (arrival,) = arrivals_of([record], asked_at)
    return arrival


def newest_by_key(arrivals: Sequence[Arrival]) -> dict[str, Arrival]:
    """One version a key: the greatest."""
    newest = {arrival.record.key: arrival for arrival in arrivals}
    if len(newest) < len(arrivals):
        for arrival in arrivals:
            key = arrival.record.key
            newest[key] = max(newest[key], arrival, key=_rank)
    return newest


def rounds(arrivals: Iterable[Arrival]) -> list[dict[str, Arrival]]:
    """Every version, the oldest first, in rounds of at most one a key."""
    found: list[dict[str, Arrival]] = []
    counts: dict[str, int] = {}
    for arrival in sorted(arrivals, key=_rank):
        key = arrival.record.key
        number = counts[key] = counts.get(key, -1) + 1
        if number == len(found):
            found.append({})
        found[number][key] = arrival
    return found


def _rank(arrival: Arrival) -> tuple[int, bool, bytes]:
    return arrival.version, arrival.deleted, arrival.record.hash


def _key(arrival: Arrival) -> str:
    return arrival.record.key


def _same(standing: Standing | None, arrival: Arrival) -> bool:
    return (
        standing is not None
        and standing.hash == arrival.record.hash
        and standing.deleted == arrival.deleted
    )


def _overruling(arrival: Arrival, standing: Standing | None) -> Arrival:
    if standing is None:
        return arrival
    overruled = max(standing.overruled, standing.version)
    return arrival._replace(correction=standing.correction + 1, overruled=overruled)


def _sort(
    arrivals: Mapping[str, Arrival], standing: Mapping[str, Standing], asked_at: int
) -> Sorted:
    sorted_ = Sorted()
    if not standing:
        sorted_.changed = [*arrivals.values()]
        return sorted_
    for key, arrival in arrivals.items():
        present = standing.get(key)
        if present is None:
            sorted_.changed.append(arrival)
        else:
            _sort_known(sorted_, arrival, present, asked_at)
    return sorted_


def _sort_known(sorted_: Sorted, arrival: Arrival, present: Standing, asked_at: int) -> None:
    record = arrival.record
    incoming = Incoming(
        arrival.version, arrival.deleted, record.hash, record.row_hash, asked_at=asked_at
    )
    match judge(present, incoming):
        case Verdict.CHANGE:
            sorted_.changed.append(_inheriting(arrival, present))
            sorted_.superseded[record.key] = present.id
            sorted_.former.append(present.seq)
            return
        case Verdict.REFRESH:
            refreshed = _inheriting(arrival, present)._replace(since=present.since)
            sorted_.refreshed.append((refreshed, present))
        case Verdict.LATE | Verdict.EARLIER:
            sorted_.late.append((arrival, present))
        case Verdict.DISPUTED:
            sorted_.disputed.append(record.key)
        case Verdict.NOTHING:
            pass
    sorted_.seqs[record.key] = present.seq


def _inheriting(arrival: Arrival, standing: Standing) -> Arrival:
    if not standing.correction:
        return arrival
    return arrival._replace(correction=standing.correction, overruled=standing.overruled)


def lock_source(connection: Connection, source: str) -> None:
    """Make every other writer of this source wait until we commit; SQLite has one anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK, {"source": source})


def draw_seqs(connection: Connection, source: str, count: int) -> int:
    """Take `count` sequence numbers; returns the last one."""
    if not count:
        return 0
    last = connection.execute(_DRAW, {"source": source, "count": count}).scalar_one()
    return int(last)


def _record_rows(
    at: _Stamp, arrivals: Sequence[Arrival], seqs: Mapping[str, int], ids: Mapping[str, int]
) -> list[tuple[Any, ...]]:
    """Rows of `records`, made a column at a time: a first listing has one for each record.

    Args:
        at: what they share.
        arrivals: those without a number are left out.
        seqs: by key.
        ids: numbers of the records, by key.
    """
    these = [arrival for arrival in arrivals if arrival.record.key in ids]
    if not these:
        return []
    made, versions, since, corrections, overruled, deleted = zip(*these, strict=True)
    keys, _, hashes, rows, row_hashes, raws = zip(*made, strict=True)
    places = (map(ids.__getitem__, keys), repeat(at.listing), keys, map(seqs.__getitem__, keys))
    standing = (corrections, overruled, versions, since, deleted)
    content = (hashes, row_hashes, rows, raws)
    return list(zip(*places, *standing, *content, repeat(at.run_id), repeat(at.now), strict=False))


def _refreshed_rows(
    at: _Stamp, refreshed: Sequence[tuple[Arrival, Standing]]
) -> list[tuple[Any, ...]]:
    seqs = {arrival.record.key: standing.seq for arrival, standing in refreshed}
    ids = {arrival.record.key: standing.id for arrival, standing in refreshed}
    return _record_rows(at, [arrival for arrival, _ in refreshed], seqs, ids)


def _history_row(at: _Stamp, arrival: Arrival, seq: int) -> tuple[Any, ...]:
    record, version, since, correction, overruled, deleted = arrival
    return (
        at.listing,
        record.key,
        correction,
        version,
        record.hash,
        since,
        deleted,
        record.row,
        at.run_id,
        at.now,
        at.now,
        record.raw,
        overruled,
        False,
        seq,
    )
