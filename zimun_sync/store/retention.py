"""What is over and past its time leaves the state, a bounded number of rows at a time."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct

from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.run import RunStatus
from zimun_sync.store.schema import (
    history,
    hook_calls,
    inbox,
    missing,
    quarantine,
    remote_calls,
    remote_creates,
    requests,
    runs,
    seen,
)

#: Rows removed in one transaction: a webhook's commit waits for no more than these.
BATCH_ROWS: Final = 1_000
#: How long answered requests, calls of hooks, and counts of remote sinks are kept.
CALLS_DAYS: Final = 30
_DAY: Final = 86_400 * 1_000_000
#: A run with one of these is not over.
_ONGOING: Final = (RunStatus.RUNNING, RunStatus.NEEDS_ATTENTION)
#: A quarantine entry with this one is. One that was dropped stays: it is how a record that is
#: still listed is known to have been given up.
_SETTLED: Final = ("closed",)

#: What orders the versions of a record.
_ORDER: Final = ("since", "version", "correction", "hash")

Condition = sa.ColumnElement[bool]


class Keep(Struct, frozen=True):
    """How many days to keep what is over; None keeps it for ever."""

    inbox_days: int | None
    runs_days: int | None
    history_days: int | None
    quarantine_days: int | None


class Cleaned(Struct, frozen=True):
    """How many rows of each kind were removed."""

    inbox: int
    runs: int
    history: int
    quarantine: int
    requests: int
    hook_calls: int
    seen: int
    remote_creates: int
    remote_calls: int


class Retention:
    """Removes what is over.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def clean(self, keep: Keep, stopping: Callable[[], bool] = lambda: False) -> Cleaned:
        """Remove what is past its time; doing it again removes nothing more.

        A stream's latest run, its last good one, and runs that wait for a person stay.

        Args:
            keep: how long each kind is kept.
            stopping: asked between transactions; true ends the work early.

        Raises:
            StoreError: the state could not be read or written; what was removed stays so.
        """

        def remove(table: sa.Table, over: Condition | None, *unless: Condition) -> int:
            return 0 if over is None else self._remove(table, over, unless, stopping)

        return Cleaned(
            inbox=remove(inbox, self._settled(keep.inbox_days)),
            runs=remove(runs, self._finished(keep.runs_days), *_not_needed()),
            history=self._prune(keep.history_days, stopping),
            quarantine=remove(quarantine, self._closed(keep.quarantine_days)),
            requests=remove(requests, self._before(requests.c.finished_at, CALLS_DAYS)),
            hook_calls=remove(hook_calls, self._before(hook_calls.c.created_at, CALLS_DAYS)),
            seen=remove(seen, seen.c.run_id.not_in(sa.select(runs.c.run_id))),
            remote_creates=remove(remote_creates, self._counted()),
            remote_calls=remove(remote_calls, self._before(remote_calls.c.updated_at, CALLS_DAYS)),
        )

    def _remove(
        self,
        table: sa.Table,
        over: Condition,
        unless: tuple[Condition, ...],
        stopping: Callable[[], bool],
    ) -> int:
        return self._change(sa.delete(table), table, sa.and_(over, *unless), over, stopping)

    def _prune(self, days: int | None, stopping: Callable[[], bool]) -> int:
        """Remove past versions, but for the last of each record: it tells what the next changed."""
        if days is None:
            return 0
        cutoff = micros(self._clock) - days * _DAY
        over = history.c.superseded_at < cutoff
        later = history.alias()
        last = ~sa.exists().where(
            later.c.listing == history.c.listing,
            later.c.key == history.c.key,
            sa.tuple_(*(later.c[name] for name in _ORDER))
            > sa.tuple_(*(history.c[name] for name in _ORDER)),
            later.c.superseded_at < cutoff,
        )
        removed = self._change(sa.delete(history), history, sa.and_(over, ~last), over, stopping)
        mark = sa.update(history).values(pruned=True)
        unmarked = sa.and_(over, history.c.pruned.is_(False))
        self._change(mark, history, unmarked, over, stopping)
        return removed

    def _change(
        self,
        statement: sa.Delete | sa.Update,
        table: sa.Table,
        which: Condition,
        over: Condition,
        stopping: Callable[[], bool],
    ) -> int:
        """Find rows by their key without locking anyone out, then change just those."""
        keys = list(table.primary_key.columns)
        these = [key == sa.bindparam(f"is_{key.name}") for key in keys]
        change = statement.where(*these, over)  # an entry may have been opened meanwhile
        changed = 0
        for found in self._found(keys, which):
            if stopping():
                break
            with self._database.write(durable=False) as connection:
                changed += connection.execute(change, found).rowcount
        return changed

    def _found(self, keys: list[sa.Column[Any]], over: Condition) -> Iterator[list[dict[str, Any]]]:
        """Batches of keys in order, each batch beyond the one before."""
        query = sa.select(*keys).where(over).order_by(*keys).limit(BATCH_ROWS)
        last: sa.Row[Any] | None = None
        while True:
            beyond = () if last is None else (sa.tuple_(*keys) > sa.tuple_(*_bound(keys, last)),)
            with self._database.read() as connection:
                rows = connection.execute(query.where(*beyond)).all()
            if rows:
                yield [{f"is_{key.name}": row[at] for at, key in enumerate(keys)} for row in rows]
            if len(rows) < BATCH_ROWS:
                return
            last = rows[-1]

    def _before(self, column: sa.Column[Any], days: int | None) -> Condition | None:
        return None if days is None else column < micros(self._clock) - days * _DAY

    def _settled(self, days: int | None) -> Condition | None:
        old = self._before(inbox.c.settled_at, days)
        return None if old is None else sa.and_(inbox.c.status == "done", old)

    def _closed(self, days: int | None) -> Condition | None:
        old = self._before(quarantine.c.last_at, days)
        return None if old is None else sa.and_(old, _one_of(quarantine.c.status, _SETTLED))

    def _counted(self) -> Condition | None:
        """A run that is held has to be found by `resume`, however late."""
        old = self._before(remote_creates.c.updated_at, CALLS_DAYS)
        return None if old is None else sa.and_(old, remote_creates.c.held.is_(False))

    def _finished(self, days: int | None) -> Condition | None:
        old = self._before(runs.c.finished_at, days)
        return None if old is None else sa.and_(old, ~_one_of(runs.c.status, _ONGOING))


def _one_of(column: sa.Column[Any], values: tuple[str, ...]) -> Condition:
    """What IN does, but also where one statement runs for many rows."""
    return sa.or_(*(column == value for value in values))


def _not_needed() -> tuple[Condition, ...]:
    """A stream's latest run, its last good one and those that found records missing stay."""
    return (
        runs.c.run_id.not_in(_newest(sa.true())),
        runs.c.run_id.not_in(_newest(runs.c.status == RunStatus.SUCCEEDED)),
        runs.c.run_id.not_in(sa.select(missing.c.run_id)),
    )


def _newest(among: Condition) -> sa.Select[Any]:
    """Ids of the newest run of each stream."""
    rank = sa.func.row_number().over(
        partition_by=(runs.c.source, runs.c.stream),
        order_by=(runs.c.started_at.desc(), runs.c.run_id.desc()),
    )
    ranked = sa.select(runs.c.run_id, rank.label("rank")).where(among).subquery()
    return sa.select(ranked.c.run_id).where(ranked.c.rank == 1)


def _bound(keys: list[sa.Column[Any]], row: sa.Row[Any]) -> list[sa.BindParameter[Any]]:
    return [sa.literal(value, key.type) for key, value in zip(keys, row, strict=True)]
