"""Carrying over into a restored state who was forgotten since the backup was made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

from zimun_sync.errors import StoreError
from zimun_sync.store.database import Database
from zimun_sync.store.forgettings import KEY_NAME
from zimun_sync.store.revisions import HEAD, refuse_newer, revision, upgrade
from zimun_sync.store.schema import erasures, forgettings, offsets, own_keys, suppressions

_COLUMNS: Final = (suppressions.c.digest, suppressions.c.kind)


class Remembered(NamedTuple):
    """Who was forgotten, as a state tells it.

    Args:
        key: of the digests.
        digests: each with its kind.
    """

    key: bytes
    digests: Sequence[tuple[bytes, str]]


def forgotten_in(path: Path) -> Remembered | None:
    """Who was forgotten in the SQLite state at `path`; None if nobody was.

    Raises:
        StateUnreadable: it is damaged.
    """
    database = Database(URL.create("sqlite", database=str(path)))
    try:
        with database.read() as connection:
            if not sa.inspect(connection).has_table(suppressions.name):
                return None
            digests = [(row.digest, row.kind) for row in connection.execute(sa.select(*_COLUMNS))]
            return Remembered(_key_in(connection) or b"", digests) if digests else None
    finally:
        database.close()


def carry(connection: Connection, remembered: Remembered, now: int) -> None:
    """Have a restored state, and its sinks, forget these people again with the next sync.

    Its schema is brought up to date for it.

    Args:
        connection: to the restored state, in a transaction.
        remembered: of the state that it replaces.
        now: microseconds since the epoch, UTC.

    Raises:
        StateTooNew: a newer release wrote the restored state.
        StoreError: it keeps its digests with another key.
    """
    found = revision(connection)
    if found is not None and found != HEAD:
        refuse_newer(found)
        upgrade(connection)
    _keep_key(connection, remembered.key)
    new = sa.insert(forgettings).values(requested_at=now).returning(forgettings.c.id)
    number = connection.execute(new).scalar_one()
    known = set(connection.execute(sa.select(suppressions.c.digest)).scalars())
    rows = [
        {"digest": digest, "kind": kind, "forgetting": number}
        for digest, kind in remembered.digests
        if digest not in known
    ]
    _insert(connection, suppressions, rows)
    sinks = connection.execute(sa.select(offsets.c.sink).distinct()).scalars().all()
    pending = {"forgetting": number, "status": "pending", "message": "", "updated_at": now}
    _insert(connection, erasures, [pending | {"sink": sink} for sink in sinks])


def _keep_key(connection: Connection, key: bytes) -> None:
    own = _key_in(connection)
    if own is None:
        connection.execute(sa.insert(own_keys).values(name=KEY_NAME, key=key))
    elif own != key:
        raise StoreError(
            "The backup is of another state: whom the present one has forgotten cannot be carried "
            "over into it.",
            hint="Move the present state away, restore again, and ask `zimun-sync forget` for "
            "each of those people anew.",
        )


def _key_in(connection: Connection) -> bytes | None:
    find = sa.select(own_keys.c.key).where(own_keys.c.name == KEY_NAME)
    found: bytes | None = connection.execute(find).scalar_one_or_none()
    return found


def _insert(connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)
