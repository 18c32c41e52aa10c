"""Erasing what is left in the state about people who asked to be forgotten.

Records and their past are rewritten by `renormalize`. Here goes what stands beside them: entries
of quarantine, events that wait, marks of pages, words; and every page of the database's files
that such content may still stand in.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.normalize import Scrubber
from zimun_sync.normalize.events import EVENT_KEY
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.quarantine import SOURCE_SIDE, digest_of_raw
from zimun_sync.store.schema import (
    history,
    inbox,
    known_pages,
    listings,
    quarantine,
    records,
    sink_notices,
)

#: Takes the place of words that mention someone.
REMOVED: Final = "(removed: the person asked to be forgotten)"
_AT_ONCE: Final = 1_000
#: Tables that rows were changed in or removed from.
_TOUCHED: Final = (records, history, quarantine, inbox, known_pages, sink_notices)

#: The key that an event names; None where it names none.
KeyOf = Callable[[bytes], str | None]


class Eraser(Struct, frozen=True):
    """Erases beside the records; doing it again changes nothing more.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    database: Database
    clock: Clock

    def erase(self, source: str, scrubbers: Mapping[str, Scrubber], key_of: KeyOf) -> None:
        """Go through what a source left beside its records.

        Args:
            source: the source's name.
            scrubbers: by stream.
            key_of: tells which record an event's body names.

        Raises:
            StoreError: the state could not be read or written.
        """
        for stream, scrubber in scrubbers.items():
            self._quarantine(source, stream, scrubber)
        scrubber = next(iter(scrubbers.values()))
        self._events(source, scrubber, key_of)
        with self.database.write(durable=False) as connection:
            _forget_pages(connection, source)
            _remove_notices(connection, scrubber)

    def rewrite(self) -> None:
        """Leave nothing in freed pages.

        Raises:
            StoreError: the state is in use, or there is no room for another copy.
        """
        self.database.rewrite(_TOUCHED)

    def _quarantine(self, source: str, stream: str, scrubber: Scrubber) -> None:
        query = sa.select(quarantine).where(
            quarantine.c.source == source, quarantine.c.stream == stream
        )
        with self.database.write(durable=False) as connection:
            for row in connection.execute(query.order_by(quarantine.c.id)).all():
                values = _clean_entry(row, scrubber)
                if values:
                    these = sa.update(quarantine).where(quarantine.c.id == row.id)
                    connection.execute(these.values(values))

    def _events(self, source: str, scrubber: Scrubber, key_of: KeyOf) -> None:
        """Events that carry someone are to be fetched anew, where they name a record."""
        after = 0
        while True:
            with self.database.write(durable=False) as connection:
                rows = _waiting(connection, source, after)
                for row in rows:
                    if scrubber.concerns(row.body):
                        _make_thin(connection, row.id, key_of(row.body), micros(self.clock))
            if len(rows) < _AT_ONCE:
                return
            after = rows[-1].id


def _clean_entry(row: Any, scrubber: Scrubber) -> dict[str, Any]:
    """What has to change in an entry of quarantine."""
    values: dict[str, Any] = {}
    if scrubber.text(row.message) is None:
        values["message"] = REMOVED
    if row.raw is not None and row.sink == SOURCE_SIDE:
        clean = _clean_raw(row, scrubber)
        if clean != row.raw:
            values |= {"raw": clean, "content": digest_of_raw(clean)}
        if clean is None:
            values["status"] = "closed"  # nothing is left that could be tried again
    return values


def _clean_raw(row: Any, scrubber: Scrubber) -> bytes | None:
    if row.key.startswith(EVENT_KEY):
        return scrubber.anything(row.raw)
    return scrubber.items([row.raw])[0]


def _waiting(connection: Connection, source: str, after: int) -> Sequence[Any]:
    query = (
        sa.select(inbox.c.id, inbox.c.body)
        .where(inbox.c.source == source, inbox.c.body.is_not(None), inbox.c.id > after)
        .order_by(inbox.c.id)
        .limit(_AT_ONCE)
    )
    return connection.execute(query).all()


def _make_thin(connection: Connection, number: int, key: str | None, now: int) -> None:
    """Have the event's record fetched; one that names none is settled."""
    done = {"status": "done", "settled_at": now, "body": None}
    thin = {"status": "thin", "key": key, "body": None}
    these = sa.update(inbox).where(inbox.c.id == number)
    connection.execute(these.values(done if key is None else thin))


def _forget_pages(connection: Connection, source: str) -> None:
    """Marks are made of a record's bytes; they fill again with the next full listing."""
    of_source = sa.select(listings.c.id).where(listings.c.source == source)
    connection.execute(sa.delete(known_pages).where(known_pages.c.listing.in_(of_source)))


def _remove_notices(connection: Connection, scrubber: Scrubber) -> None:
    for row in connection.execute(sa.select(sink_notices)).all():
        if scrubber.text(f"{row.subject} {row.message}") is None:
            these = (
                sink_notices.c.sink == row.sink,
                sink_notices.c.code == row.code,
                sink_notices.c.subject == row.subject,
            )
            connection.execute(sa.delete(sink_notices).where(*these))
