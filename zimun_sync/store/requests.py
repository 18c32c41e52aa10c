"""What commands ask of the running daemon, and what came of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.schema import requests


class Request(msgspec.Struct, frozen=True):
    """Something to do.

    Args:
        id: its number.
        kind: what to do, such as `sync`.
        arguments: with what, as JSON values.
    """

    id: int
    kind: str
    arguments: Mapping[str, Any]


class Requests:
    """A queue of requests; each one is taken once, and its outcome kept for who asked.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, kind: str, arguments: Mapping[str, Any]) -> int:
        """Ask for something; returns the request's number."""
        statement = (
            sa.insert(requests)
            .values(
                kind=kind,
                arguments=msgspec.json.encode(arguments).decode(),
                requested_at=micros(self._clock),
            )
            .returning(requests.c.id)
        )
        with self._database.write(durable=True) as connection:
            return int(connection.execute(statement).scalar_one())

    def take(self) -> Request | None:
        """The oldest request that nobody has taken; it is the caller's to finish."""
        query = (
            sa.select(requests.c.id, requests.c.kind, requests.c.arguments)
            .where(requests.c.taken_at.is_(None))
            .order_by(requests.c.id)
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        with self._database.write(durable=True) as connection:
            connection.execute(
                sa.update(requests)
                .where(requests.c.id == row.id)
                .values(taken_at=micros(self._clock))
            )
        return Request(row.id, row.kind, msgspec.json.decode(row.arguments))

    def finish(self, number: int, outcome: Mapping[str, Any]) -> None:
        """Tell who asked what came of it."""
        with self._database.write(durable=True) as connection:
            connection.execute(
                sa.update(requests)
                .where(requests.c.id == number, requests.c.finished_at.is_(None))
                .values(
                    finished_at=micros(self._clock), outcome=msgspec.json.encode(outcome).decode()
                )
            )

    def finish_all(self, outcome: Mapping[str, Any]) -> None:
        """Give up what was asked of a daemon that has ended, or is about to."""
        now = micros(self._clock)
        with self._database.write(durable=True) as connection:
            connection.execute(
                sa.update(requests)
                .where(requests.c.finished_at.is_(None))
                .values(
                    taken_at=now,
                    finished_at=now,
                    outcome=msgspec.json.encode(outcome).decode(),
                )
            )

    def outcome(self, number: int) -> Mapping[str, Any] | None:
        """What came of a request; None while it is not finished."""
        query = sa.select(requests.c.outcome).where(requests.c.id == number)
        with self._database.read() as connection:
            found = connection.execute(query).scalar_one_or_none()
        if found is None:
            return None
        outcome: Mapping[str, Any] = msgspec.json.decode(found)
        return outcome
