"""The inbox: webhook events, durable before they are acknowledged, each id once."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.normalize import Normalized, Refused
from zimun_sync.normalize.events import EVENT_KEY
from zimun_sync.store import quarantine
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.merging import (
    NEVER_ASKED,
    Merger,
    Origin,
    arrival_of,
    lock_source,
    rounds,
)
from zimun_sync.store.quarantine import SOURCE_SIDE, Entry
from zimun_sync.store.schema import inbox, sources

#: `run_id` of what webhooks brought.
WEBHOOK: Final = "webhook"
_CHUNK: Final = 5_000


class Received(Struct, frozen=True):
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


class WaitingEvent(Struct, frozen=True):
    """An event that was not looked at yet. `id` grows in order of arrival."""

    id: int
    event_id: str
    sent_at: int
    body: bytes


class Thin(Struct, frozen=True):
    """A record that has to be fetched by id, for the sake of these events."""

    key: str
    events: tuple[int, ...]


class Fetched(NamedTuple):
    """The API's answer for one record.

    Args:
        record: normalized; or why it cannot be fetched or read; None when it is gone, which
            only a listing can confirm.
        asked_at: when it was asked for, by the server's clock, microseconds UTC.
        rules: fingerprint of the rules that stood when it was normalized.
        correction: what was added to the store's clock for `asked_at`, microseconds.
    """

    record: Normalized | Refused | None
    asked_at: int
    rules: str
    correction: int = 0


class Understood(Struct, frozen=True):
    """What events came to.

    Args:
        events: ids of those that are settled with it.
        records: what they carried, each with its event's time, microseconds UTC.
        refused: what goes to quarantine.
        thin: ids of events whose record has to be fetched, with its key; not settled yet, even
            where what they carried is merged.
    """

    events: Sequence[int] = ()
    records: Sequence[tuple[Normalized, int]] = ()
    refused: Sequence[Refused] = ()
    thin: Sequence[tuple[int, str]] = ()


class RulesChanged(Exception):
    """Records were normalized with rules that are no longer in force: do it again."""


class Inbox:
    """Takes events in, and lets them go into the change feed.

    Args:
        database: the store's connections.
        merger: the merge law.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, merger: Merger, clock: Clock) -> None:
        self._database = database
        self._merger = merger
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

    def next(self, source: str, limit: int) -> list[WaitingEvent]:
        """The oldest events that nobody has looked at."""
        query = (
            sa.select(inbox.c.id, inbox.c.event_id, inbox.c.sent_at, inbox.c.body)
            .where(inbox.c.source == source, inbox.c.status == "waiting")
            .order_by(inbox.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [WaitingEvent(*row) for row in connection.execute(query).all()]

    def thin(self, source: str, limit: int) -> list[Thin]:
        """Records that have to be fetched, the longest waiting first; each one once."""
        query = (
            sa.select(inbox.c.key, inbox.c.id)
            .where(inbox.c.source == source, inbox.c.status == "thin")
            .order_by(inbox.c.id)
            .limit(limit)
        )
        events: dict[str, list[int]] = {}
        with self._database.read() as connection:
            for key, number in connection.execute(query):
                events.setdefault(key, []).append(number)
        return [Thin(key, tuple(numbers)) for key, numbers in events.items()]

    def settle(
        self, lease: Lease, source: str, stream: str, understood: Understood, rules: str
    ) -> int:
        """Merge what events carried and settle them, in one transaction.

        Args:
            lease: the source's lease.
            source: the source's name.
            stream: the stream that the records are of.
            understood: what the events came to.
            rules: fingerprint of the rules that stood when normalizing began.

        Returns:
            How many records changed.

        Raises:
            LeaseLost: another process took over; nothing was written.
            RulesChanged: the source's records were normalized anew meanwhile; nothing was
                written.
        """
        now = micros(self._clock)
        arrivals = [arrival_of(record, sent_at) for record, sent_at in understood.records]
        origin = Origin(source, stream, WEBHOOK)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            lock_source(connection, source)
            _refuse_other_rules(connection, source, rules)
            changed = 0
            for each in rounds(arrivals):
                taken = self._merger.take(connection, origin, each, NEVER_ASKED, now)
                changed += len(taken.changed)
            keys = {record.key for record, _ in understood.records}
            self._quarantine(connection, origin, keys, understood.refused, now)
            _done(connection, understood.events, now)
            _mark_thin(connection, understood.thin)
        return changed

    def fetched(self, lease: Lease, origin: Origin, thin: Thin, answer: Fetched) -> int:
        """Merge the API's answer for one record and settle the events that named it.

        Args:
            lease: the source's lease.
            origin: source and stream.
            thin: the record and its events.
            answer: the API's.

        Returns:
            How many records changed.

        Raises:
            LeaseLost: another process took over; nothing was written.
            RulesChanged: the source's records were normalized anew meanwhile; nothing was
                written.
        """
        record, asked_at, rules, correction = answer
        now, changed = micros(self._clock), 0
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            lock_source(connection, origin.source)
            _refuse_other_rules(connection, origin.source, rules)
            if isinstance(record, Refused):
                self._quarantine(connection, origin, (), [record], now)
            elif record is not None:
                arrival = arrival_of(record, asked_at)
                arrivals, asked_here = {record.key: arrival}, asked_at - correction
                taken = self._merger.take(connection, origin, arrivals, asked_here, now)
                if taken.disputed:  # this is the answer by id that settles it
                    taken = self._merger.overrule(connection, origin, arrival, now)
                changed = len(taken.changed)
                self._quarantine(connection, origin, {record.key}, [], now)
            _done(connection, thin.events, now)
        return changed

    def put_back(self, lease: Lease, entry: Entry) -> None:
        """Let a quarantined event be looked at again, or a record be fetched, and close its entry.

        Args:
            lease: the source's lease.
            entry: of an event, its key `event:` and the event's id; or of a record without
                bytes, which can only be fetched.
        """
        is_event = entry.key.startswith(EVENT_KEY)
        again = {
            "status": "waiting" if is_event else "thin",
            "key": None if is_event else entry.key,
            "settled_at": None,
            "body": entry.raw,
        }
        row = again | {
            "source": entry.source,
            "event_id": entry.key.removeprefix(EVENT_KEY) if is_event else f"retry:{entry.key}",
            "sent_at": entry.first_at,
            "received_at": micros(self._clock),
        }
        insert = self._database.upsert(inbox).values(row)
        with self._database.write(durable=True) as connection:
            check(connection, lease)
            connection.execute(
                insert.on_conflict_do_update(index_elements=["source", "event_id"], set_=again)
            )
            quarantine.close(connection, (entry.source, entry.stream, entry.sink), [entry.key])

    def _quarantine(
        self,
        connection: Connection,
        origin: Origin,
        good: Collection[str],
        refused: Sequence[Refused],
        now: int,
    ) -> None:
        place = (origin.source, origin.stream, SOURCE_SIDE)
        kept = quarantine.without_dropped(connection, place, refused)
        quarantine.put(self._database, connection, place, kept, (origin.run_id, now))
        if good:
            quarantine.close(connection, place, good)


def _refuse_other_rules(connection: Connection, source: str, rules: str) -> None:
    query = sa.select(sources.c.normalized_with).where(sources.c.name == source)
    if connection.execute(query).scalar_one() != rules:
        raise RulesChanged


def _done(connection: Connection, events: Sequence[int], now: int) -> None:
    """Let the bodies go: what they said is stored, and the ids are enough to know repetitions."""
    for start in range(0, len(events), _CHUNK):
        connection.execute(
            sa.update(inbox)
            .where(inbox.c.id.in_(events[start : start + _CHUNK]))
            .values(status="done", settled_at=now, body=None)
        )


def _mark_thin(connection: Connection, thin: Iterable[tuple[int, str]]) -> None:
    rows = [{"event": number, "at_key": key} for number, key in thin]
    if rows:
        connection.execute(
            sa.update(inbox)
            .where(inbox.c.id == sa.bindparam("event"))
            .values(status="thin", key=sa.bindparam("at_key"), body=None),
            rows,
        )
