"""What sinks noticed that a person may want to mend: once a subject, until it is removed."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.store.database import Database
from zimun_sync.store.schema import sink_notices


class Notice(Struct, frozen=True):
    """Something noticed; times are microseconds since the epoch, UTC.

    Args:
        sink: who noticed it.
        code: kind of it, such as `unmapped-owner`.
        subject: what it is about, such as a staff id.
        message: in words, as of the last time.
        count: how often it was noticed.
        first_at: when it was noticed first.
        last_at: when it was noticed last.
    """

    sink: str
    code: str
    subject: str
    message: str
    count: int
    first_at: int
    last_at: int


_NAMES = Notice.__struct_fields__
_COLUMNS = tuple(sink_notices.c[name] for name in _NAMES)


class Notices:
    """Lists and removes notices.

    Args:
        database: the store's connections.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, sink: str) -> list[Notice]:
        """A sink's notices, the oldest first."""
        with self._database.read() as connection:
            return _in_order(connection.execute(_those(sink)).all())

    def untold(self, sink: str) -> list[Notice]:
        """A sink's notices that were not told yet, the oldest first; they count as told now."""
        new = _those(sink).where(sink_notices.c.told.is_(False))
        with self._database.read() as connection:
            if connection.execute(new.limit(1)).first() is None:
                return []
        told = (
            sa.update(sink_notices)
            .where(sink_notices.c.sink == sink, sink_notices.c.told.is_(False))
            .values(told=True)
            .returning(*_COLUMNS)
        )
        with self._database.write(durable=False) as connection:
            return _in_order(connection.execute(told).all())

    def remove(self, sink: str, code: str | None = None, subject: str | None = None) -> int:
        """Remove a sink's notices; what is noticed again afterwards is told again.

        Args:
            sink: the sink's name.
            code: only those of this kind.
            subject: only those about this.

        Returns:
            How many were removed.
        """
        wanted = {"sink": sink, "code": code, "subject": subject}
        these = [sink_notices.c[name] == value for name, value in wanted.items() if value]
        with self._database.write(durable=True) as connection:
            return connection.execute(sa.delete(sink_notices).where(*these)).rowcount


def put(
    database: Database, connection: Connection, at: tuple[str, str, str], message: str, now: int
) -> None:
    """Notice something about (sink, code, subject), or that it is still so."""
    sink, code, subject = at
    insert = database.upsert(sink_notices).values(
        sink=sink,
        code=code,
        subject=subject,
        message=message,
        told=False,
        count=1,
        first_at=now,
        last_at=now,
    )
    again = {
        "message": insert.excluded.message,
        "count": sink_notices.c.count + 1,
        "last_at": insert.excluded.last_at,
    }
    connection.execute(
        insert.on_conflict_do_update(index_elements=["sink", "code", "subject"], set_=again)
    )


def _those(sink: str) -> sa.Select[Any]:
    return sa.select(*_COLUMNS).where(sink_notices.c.sink == sink)


def _in_order(rows: Iterable[Any]) -> list[Notice]:
    return sorted((Notice(*row) for row in rows), key=lambda each: (each.first_at, each.subject))
