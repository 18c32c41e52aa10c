"""The brake on creates: how many a run may make in a remote system before a person is asked."""

from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.model import from_micros
from zimun_sync.store.database import Database
from zimun_sync.store.inbox import WEBHOOK
from zimun_sync.store.schema import remote_accounts, remote_creates

_WEBHOOKS: Final = f"{WEBHOOK}:"


class Counter(Struct, frozen=True):
    """What creates are counted on.

    Args:
        sink: the sink's name.
        name: by `counted_as`.
        now: microseconds since the epoch, UTC.
    """

    sink: str
    name: str
    now: int


class _Standing(Struct, frozen=True):
    """Creates left of what a person agreed to, creates counted, and whether more are approved."""

    allowance: int
    counted: int
    approved: bool


def counted_as(run_id: str, now: int) -> str:
    """The run's own id; what webhooks bring has no run and is counted by day (UTC)."""
    return f"{_WEBHOOKS}{from_micros(now):%Y-%m-%d}" if run_id == WEBHOOK else run_id


def spend(
    database: Database, connection: Connection, at: Counter, creates: int, limit: int
) -> bool:
    """Count creates: first on what a person agreed to, then on the counter.

    Returns:
        False if the counter would exceed the limit and nobody has approved that: it is held
        until someone does, and nothing was counted.
    """
    standing = _standing(connection, at)
    agreed = min(creates, standing.allowance)
    counted = standing.counted + creates - agreed
    if agreed < creates and counted > limit and not standing.approved:
        _put(database, connection, at, held=True)
        return False
    _allow(connection, at.sink, standing.allowance - agreed)
    _put(database, connection, at, creates=counted, held=False)
    return True


def give_back(database: Database, connection: Connection, at: Counter, creates: int) -> None:
    """Undo `spend` for creates that were not made after all."""
    standing = _standing(connection, at)
    counted = min(creates, standing.counted)
    _allow(connection, at.sink, standing.allowance + creates - counted)
    _put(database, connection, at, creates=standing.counted - counted)


def approve(database: Database, connection: Connection, sink: str, now: int) -> tuple[str, ...]:
    """Let everything that is held make all its creates; returns what they are counted on."""
    found = connection.execute(
        sa.update(remote_creates)
        .where(remote_creates.c.sink == sink, remote_creates.c.held)
        .values(approved=True, held=False, updated_at=now)
        .returning(remote_creates.c.run_id)
    )
    approved = sorted(found.scalars())
    if any(name.startswith(_WEBHOOKS) for name in approved):
        # What webhooks brought before midnight may be created after it.
        today = Counter(sink, counted_as(WEBHOOK, now), now)
        _put(database, connection, today, approved=True, held=False)
    return tuple(approved)


def _standing(connection: Connection, at: Counter) -> _Standing:
    """Locks both rows, so that nobody agrees to anything in the meantime."""
    allowance = (
        sa.select(remote_accounts.c.allowance)
        .where(remote_accounts.c.sink == at.sink)
        .with_for_update()
    )
    counter = (
        sa.select(remote_creates.c.creates, remote_creates.c.approved)
        .where(remote_creates.c.sink == at.sink, remote_creates.c.run_id == at.name)
        .with_for_update()
    )
    allowed = connection.execute(allowance).scalar_one_or_none() or 0
    row = connection.execute(counter).one_or_none()
    return _Standing(allowed, *(row or (0, False)))


def _allow(connection: Connection, sink: str, allowance: int) -> None:
    connection.execute(
        sa.update(remote_accounts)
        .where(remote_accounts.c.sink == sink, remote_accounts.c.allowance != allowance)
        .values(allowance=allowance)
    )


def _put(database: Database, connection: Connection, at: Counter, **values: Any) -> None:
    new = {"sink": at.sink, "run_id": at.name, "creates": 0, "approved": False, "held": False}
    changed = values | {"updated_at": at.now}
    insert = database.upsert(remote_creates).values(new | changed)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["sink", "run_id"], set_=changed)
    )
