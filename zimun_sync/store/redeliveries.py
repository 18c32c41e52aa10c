"""Records that a sink was found not to hold as they are stored: it is given exactly those again.

They wait as quarantine entries that ask for another try, so that a crash forgets none and the
ordinary delivery takes them up, in whatever process it runs.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.deliveries import Place
from zimun_sync.store.quarantine import Entry
from zimun_sync.store.schema import quarantine

#: Code of such an entry.
REDELIVERED: Final = "verify"
_MESSAGE: Final = "The sink did not hold it as it is stored: it is delivered again."
_WAITING: Final = ("open", "retry")
_AT_ONCE: Final = 1_000


class Redeliveries:
    """Asks for single records to be delivered again, and tells why others are left out.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def ask(self, place: Place, keys: Sequence[str]) -> None:
        """Have these records delivered again, durably; one that was rejected stays as it is."""
        insert = self._database.upsert(quarantine)
        again = {name: insert.excluded[name] for name in ("status", "code", "message", "last_at")}
        statement = insert.on_conflict_do_update(
            index_elements=["source", "stream", "sink", "key"],
            set_=again,
            where=sa.and_(*(quarantine.c.status != each for each in _WAITING)),
        )
        now = micros(self._clock)
        for start in range(0, len(keys), _AT_ONCE):
            rows = [_row(place, key, now) for key in keys[start : start + _AT_ONCE]]
            with self._database.write(durable=True) as connection:
                connection.execute(statement, rows)

    def of(self, place: Place) -> list[Entry]:
        """Those of one stream that wait, in the order of their keys."""
        query = sa.select(quarantine).where(*_at(place), *_ASKED).order_by(quarantine.c.key)
        with self._database.read() as connection:
            return [Entry(*tuple(row)) for row in connection.execute(query).all()]

    def count(self, sink: str) -> int:
        """How many wait for a sink, over all sources and streams."""
        query = sa.select(sa.func.count()).where(quarantine.c.sink == sink, *_ASKED)
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def refused(self, place: Place) -> Mapping[str, tuple[str, str]]:
        """Status and code of the records that wait in quarantine or were given up, by key.

        Args:
            place: with the empty name as its sink: what could not be normalized.
        """
        query = sa.select(quarantine.c.key, quarantine.c.status, quarantine.c.code).where(
            *_at(place), quarantine.c.status.in_((*_WAITING, "dropped"))
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {row.key: (row.status, row.code) for row in rows}


_ASKED: Final = (quarantine.c.status == "retry", quarantine.c.code == REDELIVERED)


def _at(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        quarantine.c.source == place.source,
        quarantine.c.stream == place.stream,
        quarantine.c.sink == place.sink,
    )


def _row(place: Place, key: str, now: int) -> dict[str, object]:
    at = {"source": place.source, "stream": place.stream, "sink": place.sink, "key": key}
    return at | {
        "status": "retry",
        "code": REDELIVERED,
        "message": _MESSAGE,
        "run_id": REDELIVERED,
        "attempts": 1,
        "first_at": now,
        "last_at": now,
    }
