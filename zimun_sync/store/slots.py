"""Scheduled slots: which one each job has taken, so that none is run twice."""

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from msgspec import Struct

from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.schema import slots

#: A slot that was taken later than this from now was taken while the clock was wrong: it must
#: not hold up every run until then. Microseconds.
_AHEAD: Final = 86_400 * 1_000_000


class Slot(Struct, frozen=True):
    """The latest slot that a job has taken.

    Args:
        at: its naive wall-clock time.
        finished: whether its run came to a good end.
    """

    at: datetime
    finished: bool


class Slots:
    """Takes and finishes slots; every commit is durable.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def latest(self, job: str) -> Slot | None:
        """What a job has taken last; None if it never ran, by a clock that is right now."""
        query = sa.select(slots.c.slot, slots.c.finished_at).where(
            slots.c.job == job, slots.c.taken_at <= self._latest_now()
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Slot(datetime.fromisoformat(row.slot), row.finished_at is not None)

    def take(self, job: str, slot: datetime) -> bool:
        """Take a slot for its one run; False if it, or a later one, was taken before.

        What a clock took that ran more than a day ahead does not count.

        Args:
            job: the job's name.
            slot: naive wall-clock time.
        """
        values = {
            "slot": slot.isoformat(timespec="seconds"),
            "taken_at": micros(self._clock),
            "finished_at": None,
        }
        insert = self._database.upsert(slots).values(job=job, **values)
        free = sa.or_(slots.c.slot < insert.excluded.slot, slots.c.taken_at > self._latest_now())
        statement = insert.on_conflict_do_update(
            index_elements=["job"], set_=values, where=free
        ).returning(slots.c.job)
        with self._database.write(durable=True) as connection:
            return connection.execute(statement).one_or_none() is not None

    def finish(self, job: str, slot: datetime) -> None:
        """Record that a slot's run came to a good end."""
        with self._database.write(durable=True) as connection:
            connection.execute(
                sa.update(slots)
                .where(slots.c.job == job, slots.c.slot == slot.isoformat(timespec="seconds"))
                .values(finished_at=micros(self._clock))
            )

    def reopen(self, job: str) -> None:
        """Have the latest slot's run made once more; nothing happens to a job that never ran."""
        with self._database.write(durable=True) as connection:
            connection.execute(sa.update(slots).where(slots.c.job == job).values(finished_at=None))

    def _latest_now(self) -> int:
        return micros(self._clock) + _AHEAD
