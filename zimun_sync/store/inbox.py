"""The inbox: webhook events, durable before they are acknowledged, each id once."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.schema import inbox


@dataclass(frozen=True, slots=True)
class Received:
    """A webhook event whose signature was found good.

    Args:
        source: the configured source it came for.
        event_id: what a repetition has in common with it.
        sent_at: its own timestamp, microseconds since the epoch, UTC; where it has none, when
            it was received.
        body: the request's body as it came.
    """

    source: str
    event_id: str
    sent_at: int
    body: bytes


class Inbox:
    """Takes events in; a commit here survives a power loss.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._add = (
            database.upsert(inbox)
            .on_conflict_do_nothing(index_elements=["source", "event_id"])
            .returning(inbox.c.source, inbox.c.event_id)
        )

    def add(self, events: Sequence[Received]) -> int:
        """Commit events, all of them or none; returns how many were not known yet.

        Raises:
            StoreError: the state could not be written; none of them is kept.
        """
        now = micros(self._clock)
        new = {(event.source, event.event_id): event for event in events}
        rows = [
            {
                "source": event.source,
                "event_id": event.event_id,
                "status": "waiting",
                "sent_at": event.sent_at,
                "received_at": now,
                "body": event.body,
            }
            for event in new.values()
        ]
        with self._database.write(durable=True) as connection:
            return len(connection.execute(self._add, rows).all()) if rows else 0

    def waiting(self, source: str) -> int:
        """How many events of a source are not settled yet."""
        query = sa.select(sa.func.count()).where(inbox.c.source == source, inbox.c.status != "done")
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())
