"""Leases with epochs: one writer a name, and a fence against holders that woke up late."""

import os
import socket

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.errors import LeaseHeld, LeaseLost
from zimun_sync.model import from_micros
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.processes import UNKNOWN, started
from zimun_sync.store.schema import leases

#: How long a lease lasts unless renewed; longer than any request's deadline.
LEASE_SECONDS = 90

# Built once: every page asks, and building a statement costs more than running it.
_EPOCH = (
    sa.select(leases.c.epoch)
    .where(leases.c.name == sa.bindparam("lease"))
    .with_for_update(read=True)
)


class Holder(msgspec.Struct, frozen=True):
    """The process that holds a lease. `started`: clock ticks since boot; tells reused pids."""

    host: str
    pid: int
    started: int
    since: int

    def is_gone(self) -> bool:
        """Whether the process is known to have ended (only its own host can tell)."""
        here = self.host == socket.gethostname()
        return here and started(self.pid) not in (self.started, UNKNOWN)

    def __str__(self) -> str:
        """For people: process, host and since when."""
        since = from_micros(self.since).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"process {self.pid} on {self.host}, since {since}"


class Lease(msgspec.Struct, frozen=True):
    """A right to write, as long as `epoch` is still the name's greatest."""

    name: str
    epoch: int


class Leases:
    """Acquire, renew, check and release.

    Args:
        database: the store's connections.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def acquire(self, name: str) -> Lease:
        """Take the lease of that name.

        Raises:
            LeaseHeld: another live process holds it.
        """
        now = micros(self._clock)
        with self._database.write(durable=True) as connection:
            self._make_row(connection, name)
            row = connection.execute(
                sa.select(leases.c.epoch, leases.c.holder, leases.c.expires_at)
                .where(leases.c.name == name)
                .with_for_update()
            ).one()
            _refuse_if_held(name, row.holder, row.expires_at, now)
            lease = Lease(name, row.epoch + 1)
            _take(connection, lease, now)
        return lease

    def _make_row(self, connection: Connection, name: str) -> None:
        """A row that is locked, so that of two first comers the second waits for the first."""
        free = {"name": name, "epoch": 0, "holder": "", "expires_at": 0}
        connection.execute(self._database.upsert(leases).values(free).on_conflict_do_nothing())

    def renew(self, held: Lease) -> None:
        """Put the expiry off.

        Raises:
            LeaseLost: someone else took it meanwhile.
        """
        expires_at = micros(self._clock) + LEASE_SECONDS * 1_000_000
        with self._database.write(durable=False) as connection:
            check(connection, held)
            connection.execute(
                sa.update(leases).where(leases.c.name == held.name).values(expires_at=expires_at)
            )

    def holder(self, name: str) -> Holder | None:
        """The process that holds the lease of that name; None where no living one does."""
        query = sa.select(leases.c.holder, leases.c.expires_at).where(leases.c.name == name)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.expires_at <= micros(self._clock):
            return None
        holder = msgspec.json.decode(row.holder, type=Holder)
        return None if holder.is_gone() else holder

    def last_held(self, name: str) -> int | None:
        """Until about when the lease of that name was held; None if it never was.

        To the microsecond where it was given back, else up to `LEASE_SECONDS` too late.
        """
        query = sa.select(leases.c.expires_at).where(leases.c.name == name)
        with self._database.read() as connection:
            found: int | None = connection.execute(query).scalar_one_or_none()
        return found

    def release(self, held: Lease) -> None:
        """Let others have it at once; nothing happens if it was lost already."""
        now = micros(self._clock)
        with self._database.write(durable=False) as connection:
            connection.execute(
                sa.update(leases)
                .where(leases.c.name == held.name, leases.c.epoch == held.epoch)
                .values(expires_at=now)
            )


def check(connection: Connection, held: Lease) -> None:
    """Refuse a transaction whose lease was taken over.

    Raises:
        LeaseLost: the epoch has moved on; the transaction must not commit.
    """
    epoch = connection.execute(_EPOCH, {"lease": held.name}).scalar_one_or_none()
    if epoch != held.epoch:
        raise LeaseLost(
            f"Another process took over {held.name!r} while this one was away.",
            hint="Nothing was written. Run only one zimun-sync on one state.",
        )


def _take(connection: Connection, lease: Lease, now: int) -> None:
    pid = os.getpid()
    holder = Holder(socket.gethostname(), pid, started(pid), now)
    connection.execute(
        sa.update(leases)
        .where(leases.c.name == lease.name)
        .values(
            epoch=lease.epoch,
            holder=msgspec.json.encode(holder).decode(),
            expires_at=now + LEASE_SECONDS * 1_000_000,
        )
    )


def _refuse_if_held(name: str, holder_json: str, expires_at: int, now: int) -> None:
    if expires_at <= now:
        return
    holder = msgspec.json.decode(holder_json, type=Holder)
    if holder.is_gone():
        return
    raise LeaseHeld(
        f"{name!r} is being worked on by {holder}.",
        hint="Wait for it to finish, or stop it; a process that was killed is noticed at once "
        f"on its own host, elsewhere after {LEASE_SECONDS} s.",
    )
