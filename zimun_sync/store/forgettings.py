"""Who asked to be forgotten, and how far the state and each sink are with it."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.normalize import Kind, Suppressions
from zimun_sync.sinks import Erasure, Forgotten
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.schema import (
    erasures,
    forgettings,
    forgotten_records,
    own_keys,
    suppressions,
)

#: Of the digests' key among a state's own.
KEY_NAME: Final = "suppressions"
_KEY_BYTES: Final = 32
#: What became of former states in a sink; `by_hand`: a person has to remove the rest.
Status = Literal["pending", "done", "by_hand"]


class Receipt(Struct, frozen=True):
    """What one sink did for a request.

    Args:
        sink: the sink's name.
        status: pending, done or by_hand.
        message: what was erased, or what is left to do, and why.
        updated_at: when, microseconds since the epoch, UTC.
    """

    sink: str
    status: Status
    message: str
    updated_at: int


class Forgetting(Struct, frozen=True):
    """A request to forget someone.

    Args:
        id: its number.
        requested_at: when, microseconds since the epoch, UTC.
        erased_at: when nothing was left in the state; None while something may be.
        records: how many records held something, by source and stream.
        receipts: one a sink that had been given something.
    """

    id: int
    requested_at: int
    erased_at: int | None
    records: Mapping[tuple[str, str], int]
    receipts: tuple[Receipt, ...]

    @property
    def statuses(self) -> set[Status]:
        """Those of its receipts."""
        return {each.status for each in self.receipts}

    @property
    def waits(self) -> bool:
        """Whether the state or a sink has not done it yet."""
        return self.erased_at is None or "pending" in self.statuses

    @property
    def is_open(self) -> bool:
        """Whether anything is left to do, for us or for a person."""
        return self.waits or "by_hand" in self.statuses


class Owed(Struct, frozen=True):
    """What is still owed to people who asked to be forgotten.

    Args:
        waiting: requests that the state or a sink has not done yet.
        since: when the oldest of those was made, microseconds since the epoch, UTC.
        by_hand: requests of which a person has to do something.
    """

    waiting: int = 0
    since: int | None = None
    by_hand: int = 0


class Forgettings:
    """Takes requests and keeps account of them; every commit is durable.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def key(self) -> bytes:
        """The key of this state's digests, made when it is first asked for."""
        with self._database.read() as connection:
            found: bytes | None = connection.execute(_FIND_KEY).scalar_one_or_none()
        if found is not None:
            return found
        add = self._database.upsert(own_keys).on_conflict_do_nothing()
        row = {"name": KEY_NAME, "key": secrets.token_bytes(_KEY_BYTES)}
        with self._database.write(durable=True) as connection:
            connection.execute(add, row)
            made: bytes = connection.execute(_FIND_KEY).scalar_one()
        return made

    def count(self) -> int:
        """How many requests there were."""
        with self._database.read() as connection:
            found = connection.execute(_LATEST).scalar_one()
        return int(found or 0)

    def suppressions(self) -> Suppressions:
        """Everybody who asked, up to now."""
        with self._database.read() as connection:
            return suppressions_in(connection)

    def request(self, digests: Mapping[bytes, Kind], sinks: Sequence[str]) -> int:
        """Suppress someone from now on.

        Args:
            digests: with this state's key.
            sinks: that may hold something about them.

        Returns:
            The request's number.
        """
        now = micros(self._clock)
        add = self._database.upsert(suppressions).on_conflict_do_nothing()
        with self._database.write(durable=True) as connection:
            new = sa.insert(forgettings).values(requested_at=now).returning(forgettings.c.id)
            number = int(connection.execute(new).scalar_one())
            rows = [
                {"digest": digest, "kind": kind, "forgetting": number}
                for digest, kind in digests.items()
            ]
            connection.execute(add, rows)
            _open_receipts(connection, number, sinks, now)
        return number

    def unfinished(self) -> list[int]:
        """Requests of which something may be left in the state, the oldest first."""
        query = sa.select(forgettings.c.id).where(forgettings.c.erased_at.is_(None))
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(forgettings.c.id)).scalars())

    def finish(self, numbers: Sequence[int]) -> None:
        """Nothing about these people is left in the state."""
        done = sa.update(forgettings).where(forgettings.c.id.in_(numbers))
        with self._database.write(durable=True) as connection:
            connection.execute(done.values(erased_at=micros(self._clock)))

    def pending(self, sink: str) -> list[int]:
        """Requests that the state is done with and this sink is not, the oldest first."""
        query = (
            sa.select(erasures.c.forgetting)
            .join(forgettings, forgettings.c.id == erasures.c.forgetting)
            .where(erasures.c.sink == sink, erasures.c.status == "pending")
            .where(forgettings.c.erased_at.is_not(None))
            .order_by(erasures.c.forgetting)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def records(self, numbers: Sequence[int]) -> Forgotten:
        """Records that held something about the people of these requests."""
        which = forgotten_records.c.forgetting.in_(numbers)
        columns = (forgotten_records.c[name] for name in ("source", "stream", "key"))
        query = sa.select(*columns).where(which).distinct().order_by("source", "stream", "key")
        keys: dict[tuple[str, str], list[str]] = {}
        with self._database.read() as connection:
            for source, stream, key in connection.execute(query):
                keys.setdefault((source, stream), []).append(key)
        return Forgotten(keys)

    def settle(self, sink: str, numbers: Sequence[int], erasure: Erasure) -> None:
        """Keep what became of former states in a sink."""
        status: Status = "done" if erasure.complete else "by_hand"
        self._mark(sink, numbers, status, erasure.message)

    def delay(self, sink: str, numbers: Sequence[int], why: str) -> None:
        """Keep why a sink has not erased anything yet."""
        self._mark(sink, numbers, "pending", why)

    def done_by_hand(self, number: int, configured: Collection[str]) -> bool:
        """Take a person's word that they did what sinks could not; tells whether any could not.

        Args:
            number: of the request.
            configured: names of sinks that will do by themselves what is pending.
        """
        now = micros(self._clock)
        gone = (erasures.c.status == "pending") & erasures.c.sink.not_in(configured)
        which = (erasures.c.forgetting == number, (erasures.c.status == "by_hand") | gone)
        values = {"status": "done", "message": "Done by hand.", "updated_at": now}
        with self._database.write(durable=True) as connection:
            return connection.execute(sa.update(erasures).where(*which).values(values)).rowcount > 0

    def owed(self) -> Owed:
        """What is not done yet, here and in sinks."""
        undone = sa.select(erasures.c.forgetting).where(erasures.c.status != "done")
        found = self._read(forgettings.c.erased_at.is_(None) | forgettings.c.id.in_(undone))
        waiting = [each for each in found if each.waits]
        since = min((each.requested_at for each in waiting), default=None)
        by_hand = [each for each in found if "by_hand" in each.statuses]
        return Owed(len(waiting), since, len(by_hand))

    def get(self, number: int) -> Forgetting:
        """A request that was made, and its receipts."""
        (found,) = self._read(forgettings.c.id == number)
        return found

    def all(self) -> list[Forgetting]:
        """Every request and its receipts, the oldest first."""
        return self._read(sa.true())

    def _read(self, which: sa.ColumnElement[bool]) -> list[Forgetting]:
        those = sa.select(forgettings).where(which).order_by(forgettings.c.id)
        ids = sa.select(forgettings.c.id).where(which)
        receipts = sa.select(erasures).where(erasures.c.forgetting.in_(ids))
        with self._database.read() as connection:
            asked = connection.execute(those).all()
            told = connection.execute(receipts.order_by(erasures.c.sink)).all()
            held = _COUNTS.where(forgotten_records.c.forgetting.in_(ids))
            counts = connection.execute(held).all()
        return [
            Forgetting(
                row.id,
                row.requested_at,
                row.erased_at,
                {(each.source, each.stream): each.n for each in counts if each.of == row.id},
                tuple(
                    Receipt(each.sink, each.status, each.message, each.updated_at)
                    for each in told
                    if each.forgetting == row.id
                ),
            )
            for row in asked
        ]

    def _mark(self, sink: str, numbers: Sequence[int], status: Status, message: str) -> None:
        now = micros(self._clock)
        which = (erasures.c.sink == sink, erasures.c.forgetting.in_(numbers))
        values = {"status": status, "message": message, "updated_at": now}
        with self._database.write(durable=True) as connection:
            connection.execute(sa.update(erasures).where(*which).values(values))


_COUNTS: Final = sa.select(
    forgotten_records.c.forgetting.label("of"),
    forgotten_records.c.source,
    forgotten_records.c.stream,
    sa.func.count().label("n"),
).group_by(forgotten_records.c.forgetting, forgotten_records.c.source, forgotten_records.c.stream)


_LATEST: Final = sa.select(sa.func.max(forgettings.c.id))
_FIND_KEY: Final = sa.select(own_keys.c.key).where(own_keys.c.name == KEY_NAME)


def suppressions_in(connection: Connection) -> Suppressions:
    """Everybody who asked, up to now, for those who are in a transaction already."""
    rows = connection.execute(sa.select(suppressions.c.digest, suppressions.c.kind)).all()
    if not rows:
        return Suppressions()
    key = connection.execute(_FIND_KEY).scalar_one()
    kinds = frozenset(row.kind for row in rows)
    return Suppressions(key, frozenset(row.digest for row in rows), kinds)


def _open_receipts(connection: Connection, number: int, sinks: Sequence[str], now: int) -> None:
    rows = [
        {"forgetting": number, "sink": sink, "status": "pending", "message": "", "updated_at": now}
        for sink in sinks
    ]
    if rows:
        connection.execute(sa.insert(erasures), rows)


def remember(
    database: Database,
    connection: Connection,
    at: tuple[str, str],
    keys: Sequence[str],
    theirs: Sequence[bytes],
) -> None:
    """Keep which records held something, for every request that is not finished yet.

    Args:
        database: the store's.
        connection: in a transaction.
        at: source and stream.
        keys: of the records.
        theirs: digests of those that are about nobody else.
    """
    if theirs:
        add = database.upsert(suppressions).on_conflict_do_nothing()
        of = connection.execute(_LATEST).scalar_one()
        named = [{"digest": each, "kind": "record", "forgetting": of} for each in theirs]
        connection.execute(add, named)
    if not keys:
        return
    source, stream = at
    unfinished = sa.select(forgettings.c.id).where(forgettings.c.erased_at.is_(None))
    rows = [
        {"forgetting": number, "source": source, "stream": stream, "key": key}
        for number in connection.execute(unfinished).scalars().all()
        for key in keys
    ]
    if rows:
        add = database.upsert(forgotten_records).on_conflict_do_nothing()
        connection.execute(add, rows)
