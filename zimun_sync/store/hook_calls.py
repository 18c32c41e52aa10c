"""Calls of hooks that are due or were made, kept so that a restart forgets none."""

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.schema import hook_calls

_WAITING = "waiting"
#: Sequences that sinks have to reach first: by sink, then by source.
Needs = Mapping[str, Mapping[str, int]]


class NewCall(msgspec.Struct, frozen=True):
    """A call to be made.

    Args:
        hook: its name in the configuration.
        event: what calls it.
        payload: fields of the templates, as JSON values; the one named `subject` tells what it
            is about.
        needs: what sinks have to take first; empty if it waits for none.
        created_at: when what it tells happened, microseconds since the epoch, UTC.
    """

    hook: str
    event: str
    payload: Mapping[str, Any]
    needs: Needs
    created_at: int


class HookCall(msgspec.Struct, frozen=True):
    """A call that is not over.

    Args:
        id: its number; later calls have higher ones.
        hook: as of `NewCall`, like `event`, `payload` and `needs`.
        event: what calls it.
        payload: fields of the templates.
        needs: what sinks have to take first.
        attempts: tries made so far, all of them failed.
        created_at: since when it waits, that of a call which it replaced counted in;
            microseconds since the epoch, UTC.
        due_at: not before this, microseconds since the epoch, UTC.
    """

    id: int
    hook: str
    event: str
    payload: Mapping[str, Any]
    needs: Needs
    attempts: int
    created_at: int
    due_at: int

    @property
    def waits_for_sinks(self) -> bool:
        """Whether sinks had to be waited for when last looked at: no try was made since."""
        return bool(self.needs) and self.attempts == 0


class HookCalls:
    """Calls until they are `done`, `failed` (given up) or `dropped`; every commit is durable.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, *calls: NewCall) -> None:
        """Enter calls, each in the place of one that it makes needless.

        That is one of the same hook, event and subject that still waits for sinks, or for an
        earlier call which is being tried again: a receiver that is gone for long is not owed
        all that happened, and what waits for it stays bounded.

        Raises:
            StoreError: the state could not be written; nothing was entered.
        """
        with self._database.write(durable=True) as connection:
            for call in calls:
                since = self._replace(connection, call)
                connection.execute(sa.insert(hook_calls).values(_row(call, since)))

    def waiting(self) -> list[HookCall]:
        """Every call that is not over, the oldest first."""
        with self._database.read() as connection:
            return _waiting(connection, sa.true())

    def try_again(self, number: int, due_at: int, error: str) -> None:
        """Record a failed try; the next one is not before `due_at`, microseconds UTC."""
        with self._database.write(durable=True) as connection:
            _change(connection, number, due_at=due_at, error=error)

    def done(self, number: int) -> None:
        """Record that the call was answered well."""
        self._end(number, "done", None)

    def give_up(self, number: int, error: str) -> None:
        """Record that the call is not tried again."""
        self._end(number, "failed", error)

    def drop(self, number: int, reason: str) -> None:
        """Record that nobody wants the call any more."""
        with self._database.write(durable=True) as connection:
            _drop(connection, number, micros(self._clock), reason)

    def _end(self, number: int, status: str, error: str | None) -> None:
        with self._database.write(durable=True) as connection:
            _change(connection, number, status=status, due_at=micros(self._clock), error=error)

    def _replace(self, connection: Connection, new: NewCall) -> int:
        """Drop calls that the new one makes needless; since when the first of them waits."""
        waiting = _waiting(connection, hook_calls.c.hook == new.hook)
        line = [old for old in waiting if old.payload["subject"] == new.payload["subject"]]
        held_up, since = any(old.attempts for old in line), new.created_at
        for old in line:
            if old.event == new.event and (old.waits_for_sinks or (held_up and not old.attempts)):
                _drop(connection, old.id, micros(self._clock), "A newer call took its place.")
                since = min(since, old.created_at)
        return since


def _row(call: NewCall, since: int) -> dict[str, Any]:
    return {
        "hook": call.hook,
        "event": call.event,
        "payload": msgspec.json.encode(call.payload).decode(),
        "needs": msgspec.json.encode(call.needs).decode(),
        "status": _WAITING,
        "attempts": 0,
        "created_at": since,
        "due_at": call.created_at,
    }


def _waiting(connection: Connection, which: sa.ColumnElement[bool]) -> list[HookCall]:
    query = (
        sa.select(hook_calls)
        .where(hook_calls.c.status == _WAITING, which)
        .order_by(hook_calls.c.id)
    )
    return [
        HookCall(
            row.id,
            row.hook,
            row.event,
            msgspec.json.decode(row.payload),
            msgspec.json.decode(row.needs),
            row.attempts,
            row.created_at,
            row.due_at,
        )
        for row in connection.execute(query)
    ]


def _change(connection: Connection, number: int, **values: Any) -> None:
    """Record a try and what came of it; nothing happens to a call that is over."""
    connection.execute(
        sa.update(hook_calls)
        .where(hook_calls.c.id == number, hook_calls.c.status == _WAITING)
        .values(attempts=hook_calls.c.attempts + 1, **values)
    )


def _drop(connection: Connection, number: int, now: int, reason: str) -> None:
    connection.execute(
        sa.update(hook_calls)
        .where(hook_calls.c.id == number, hook_calls.c.status == _WAITING)
        .values(status="dropped", due_at=now, error=reason)
    )
