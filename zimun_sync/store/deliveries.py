"""How far each sink has come, what it rejected, and which sinks are parked."""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.model import APPOINTMENT_VERSIONS, APPOINTMENTS
from zimun_sync.normalize import Refused
from zimun_sync.sinks import Rejection
from zimun_sync.store import quarantine
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.schema import history, listings, offsets, records, sinks
from zimun_sync.store.waiting import waiting


class Place(Struct, frozen=True):
    """One stream of one source on its way to one sink."""

    sink: str
    source: str
    stream: str


class ParkKind(StrEnum):
    """Why a sink is parked. A sync tries a broken one again; the others wait for a person."""

    BROKEN = "broken"  #: it said that a person has to act
    REJECTIONS = "rejections"  #: it refused too large a share of a batch
    PAUSED = "paused"  #: a person wants it so
    BUG = "bug"  #: its connector failed in a way the contract does not allow
    RESTORED = "restored"  #: the state was restored; the sink may be ahead of it
    HELD = "held"  #: it would go on, but wants a person's go-ahead
    INACTIVE = "inactive"  #: nobody has activated it yet


class Parked(Struct, frozen=True):
    """A parked sink's trouble. `since`: microseconds since the epoch, UTC."""

    kind: ParkKind
    reason: str
    hint: str
    since: int


class Delivered(Struct, frozen=True):
    """A batch that a sink took.

    Args:
        seq: the offset to record: the sequence of the batch's last change.
        keys: keys that the sink now holds; their quarantine entries close.
        rejected: keys that it refused.
        run_id: the run of the batch's last change, for quarantine.
    """

    seq: int
    keys: Collection[str]
    rejected: Sequence[Rejection]
    run_id: str


class Deliveries:
    """Offsets and parked sinks; every commit is durable.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def offset(self, place: Place, fingerprint: str) -> int:
        """The last sequence the sink took; 0 if its fingerprint is another now."""
        with self._database.read() as connection:
            return _offset(connection, place, fingerprint)

    def waiting(self, sink: str, source: str, fingerprints: Mapping[str, str]) -> dict[str, int]:
        """Streams that have something for a sink, with the last sequence that it took of each.

        Args:
            sink: the sink's name.
            source: the source's name.
            fingerprints: of what the sink is given now, by stream; its former offset says
                nothing where that is another one.
        """
        with self._database.read() as connection:
            return waiting(connection, sink, source, fingerprints)

    def record(
        self,
        lease: Lease,
        place: Place,
        fingerprint: str,
        delivered: Delivered,
        *,
        began_at: int,
    ) -> bool:
        """Advance the offset and enter rejections, in one transaction.

        Args:
            lease: the sink's lease.
            place: the stream on its way to the sink.
            fingerprint: of what the sink was given.
            delivered: what it took.
            began_at: the offset that the batch began after.

        Returns:
            False if the offset was set back meanwhile: everything comes again, and nothing was
            recorded.

        Raises:
            LeaseLost: another process took over this sink.
        """
        now = micros(self._clock)
        at = (place.source, place.stream, place.sink)
        refused = [Refused(each.key, each.code, each.message, None) for each in delivered.rejected]
        values = {"seq": delivered.seq, "fingerprint": fingerprint, "closed": False}
        values |= {"updated_at": now}
        statement = self._database.upsert(offsets).values(
            sink=place.sink, source=place.source, stream=place.stream, **values
        )
        with self._database.write(durable=True) as connection:
            check(connection, lease)
            if _offset(connection, place, fingerprint) != began_at:
                return False
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["sink", "source", "stream"], set_=values
                )
            )
            quarantine.close_taken(connection, at, delivered.keys)
            quarantine.put(self._database, connection, at, refused, (delivered.run_id, now))
        return True

    def mark_closed(self, sink: str) -> None:
        """Record that a sink was closed after everything that was delivered to it."""
        with self._database.write(durable=True) as connection:
            connection.execute(
                sa.update(offsets)
                .where(offsets.c.sink == sink, offsets.c.closed.is_(False))
                .values(closed=True)
            )

    def left_open(self, sink: str) -> bool:
        """Whether a crash kept a sink from being closed: it may owe its readers something."""
        query = sa.select(offsets.c.sink).where(offsets.c.sink == sink, offsets.c.closed.is_(False))
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).one_or_none() is not None

    def rewind(self, sink: str, since: int | None = None, stream: str | None = None) -> None:
        """Deliver everything to a sink again, or what was stored since a time.

        Args:
            sink: the sink's name.
            since: microseconds since the epoch, UTC; None for everything.
            stream: only this one; None for all.
        """
        these = [offsets.c.sink == sink]
        if stream is not None:
            these.append(offsets.c.stream == stream)
        with self._database.write(durable=True) as connection:
            if since is None:
                connection.execute(sa.delete(offsets).where(*these))
                return
            first = sa.case(
                (offsets.c.stream == APPOINTMENT_VERSIONS.name, _first_version(since)),
                else_=_first_record(since),
            )
            earlier = sa.case((first < offsets.c.seq, first), else_=offsets.c.seq)
            connection.execute(sa.update(offsets).where(*these).values(seq=earlier))

    def park(self, sink: str, kind: ParkKind, reason: str, hint: str) -> None:
        """Stop delivering to a sink until someone acts; keeps the first time it happened."""
        values = {"kind": kind, "reason": reason, "hint": hint}
        statement = self._database.upsert(sinks).values(
            name=sink, since=micros(self._clock), **values
        )
        with self._database.write(durable=True) as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_=values)
            )

    def unpark(self, sink: str) -> None:
        """Let a sink be delivered to again."""
        with self._database.write(durable=True) as connection:
            connection.execute(sa.delete(sinks).where(sinks.c.name == sink))

    def parked(self) -> dict[str, Parked]:
        """Every parked sink by name."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(sinks)).all()
        return {
            row.name: Parked(ParkKind(row.kind), row.reason, row.hint, row.since) for row in rows
        }

    def everybody(self) -> list[str]:
        """Names of the sinks that were ever delivered to, configured or not."""
        query = sa.select(offsets.c.sink).distinct().order_by(offsets.c.sink)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def places(self, sink: str) -> set[tuple[str, str]]:
        """Sources and streams that a sink was ever delivered, configured or not."""
        query = sa.select(offsets.c.source, offsets.c.stream).where(offsets.c.sink == sink)
        with self._database.read() as connection:
            return {(row.source, row.stream) for row in connection.execute(query)}

    def known(self, sink: str) -> bool:
        """Whether anything was ever delivered to a sink of that name."""
        query = sa.select(offsets.c.sink).where(offsets.c.sink == sink).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).one_or_none() is not None


def _first_record(since: int) -> sa.ScalarSelect[int]:
    """The sequence before the first that was stored since then, for a row of `offsets`."""
    return (
        sa.select(sa.func.min(records.c.seq) - 1)
        .join(listings, listings.c.id == records.c.listing)
        .where(
            listings.c.source == offsets.c.source,
            listings.c.stream == offsets.c.stream,
            records.c.observed_at >= since,
        )
        .scalar_subquery()
    )


def _first_version(since: int) -> sa.ScalarSelect[int]:
    """The same of versions, which are made of the past of appointments."""
    return (
        sa.select(sa.func.min(history.c.seq) - 1)
        .join(listings, listings.c.id == history.c.listing)
        .where(
            listings.c.source == offsets.c.source,
            listings.c.stream == APPOINTMENTS.name,
            history.c.superseded_at >= since,
        )
        .scalar_subquery()
    )


def _offset(connection: Connection, place: Place, fingerprint: str) -> int:
    query = sa.select(offsets.c.seq, offsets.c.fingerprint).where(*_at(place))
    row = connection.execute(query).one_or_none()
    return row.seq if row is not None and row.fingerprint == fingerprint else 0


def _at(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        offsets.c.sink == place.sink,
        offsets.c.source == place.source,
        offsets.c.stream == place.stream,
    )
