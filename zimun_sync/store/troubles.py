"""What is wrong, remembered, so that a change is told once, also across restarts."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.schema import troubles


class Remembered(Struct, frozen=True):
    """A trouble that was told and is not over.

    Args:
        reason: why, as of the last look.
        since: when it was first seen, microseconds since the epoch, UTC.
    """

    reason: str
    since: int


class Turns(Struct, frozen=True):
    """What a look at the present changed.

    Args:
        began: subjects that are wrong now and were not before.
        ended: subjects that no longer are, with the seconds that it lasted.
    """

    began: tuple[str, ...]
    ended: Mapping[str, float]


class Troubles:
    """Remembers what is wrong, one row a subject.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def known(self) -> dict[str, Remembered]:
        """What is remembered as wrong, by subject."""
        with self._database.read() as connection:
            return _known(connection)

    def update(self, current: Mapping[str, str], undecided: Collection[str] = ()) -> Turns:
        """Remember what is wrong now; another reason of a known subject is no change.

        Args:
            current: reason by subject.
            undecided: subjects that stay as they are remembered where `current` does not name
                them, because what would tell is under way.

        Raises:
            StoreError: the state could not be read or written; nothing was remembered.
        """
        if _reasons(self.known()) == current:
            return Turns((), {})
        now = micros(self._clock)
        with self._database.write(durable=False) as connection:
            before = _known(connection)
            over = before.keys() - current.keys() - set(undecided)
            self._put(connection, current, now)
            connection.execute(sa.delete(troubles).where(troubles.c.subject.in_(over)))
        began = tuple(subject for subject in current if subject not in before)
        return Turns(began, {each: _seconds(before[each], now) for each in sorted(over)})

    def _put(self, connection: Connection, current: Mapping[str, str], now: int) -> None:
        if not current:
            return
        insert = self._database.upsert(troubles)
        put = insert.on_conflict_do_update(
            index_elements=["subject"], set_={"reason": insert.excluded.reason}
        )
        rows = [
            {"subject": subject, "reason": reason, "since": now}
            for subject, reason in current.items()
        ]
        connection.execute(put, rows)


def _known(connection: Connection) -> dict[str, Remembered]:
    rows = connection.execute(sa.select(troubles)).all()
    return {row.subject: Remembered(row.reason, row.since) for row in rows}


def _reasons(known: Mapping[str, Remembered]) -> dict[str, str]:
    return {subject: each.reason for subject, each in known.items()}


def _seconds(known: Remembered, now: int) -> float:
    return max(now - known.since, 0) / 1e6
