"""How the state stands, read cheaply: what `status` and the metrics ask for again and again."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from msgspec import Struct

from zimun_sync.model import APPOINTMENT_VERSIONS
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.feed import Lag
from zimun_sync.store.listings import Listings
from zimun_sync.store.run import Run, RunStatus
from zimun_sync.store.schema import hook_calls, inbox, quarantine, records, remote_ids, runs
from zimun_sync.store.version_feed import VersionFeed

#: A hook's call with this status was given up.
GIVEN_UP: Final = "failed"
#: Changes looked at for the age of the oldest one that a sink has not taken.
_OLDEST_AMONG: Final = 1_000


class Backlog(Struct, frozen=True):
    """Webhook events of a source that are not settled yet.

    Args:
        events: how many.
        oldest: when the first of them came, microseconds since the epoch, UTC.
    """

    events: int
    oldest: int


class QuarantineCount(Struct, frozen=True):
    """Waiting entries of one source; `sink` is empty where they could not be normalized."""

    source: str
    sink: str
    entries: int


class GivenUp(Struct, frozen=True):
    """A hook whose latest call was given up.

    Args:
        hook: its name in the configuration.
        error: why.
        given_up_at: when, microseconds since the epoch, UTC.
    """

    hook: str
    error: str
    given_up_at: int


class Room(Struct, frozen=True):
    """What the state takes and what is left.

    Args:
        size_bytes: of the database with its log.
        free_bytes: on its disk; None where that is another machine's.
    """

    size_bytes: int
    free_bytes: int | None


class Overview:
    """Reads only; each method sees one state throughout.

    Args:
        database: the store's connections.
        listings: numbers of listings.
        clock: aware UTC now.
    """

    def __init__(self, database: Database, listings: Listings, clock: Clock) -> None:
        self._database = database
        self._listings = listings
        self._clock = clock
        self._versions = VersionFeed(database, listings)

    def lag(self, source: str, stream: str, after: int) -> Lag:
        """What lies behind sequence `after`; the age is that of the oldest in feed order."""
        if stream == APPOINTMENT_VERSIONS.name:
            return Lag(*self._versions.lag(source, after))
        with self._database.read() as connection:
            listing = self._listings.number(connection, source, stream)
            behind = sa.and_(records.c.listing == listing, records.c.seq > after)
            count = connection.execute(sa.select(sa.func.count()).where(behind)).scalar_one()
            if not count:
                return Lag(0, None)
            first = sa.select(records.c.observed_at).where(behind).order_by(records.c.seq)
            oldest = sa.select(sa.func.min(first.limit(_OLDEST_AMONG).subquery().c.observed_at))
            return Lag(count, connection.execute(oldest).scalar_one())

    def last_change_at(self, source: str, stream: str) -> int | None:
        """When the store took the stream's latest change, microseconds UTC; None without any."""
        with self._database.read() as connection:
            listing = self._listings.number(connection, source, stream)
            query = sa.select(records.c.observed_at).where(records.c.listing == listing)
            latest = query.order_by(records.c.seq.desc()).limit(1)
            found: int | None = connection.execute(latest).scalar_one_or_none()
        return found

    def first_run_at(self, source: str, stream: str) -> int | None:
        """When the stream's first run that is still known began."""
        query = sa.select(sa.func.min(runs.c.started_at)).where(
            runs.c.source == source, runs.c.stream == stream
        )
        with self._database.read() as connection:
            found: int | None = connection.execute(query).scalar_one()
        return found

    def needing_attention(self, source: str) -> list[Run]:
        """Each stream's newest run that waits for a person, unless a later one went well."""
        later = runs.alias()
        good = sa.select(later.c.run_id).where(
            later.c.source == runs.c.source,
            later.c.stream == runs.c.stream,
            later.c.started_at > runs.c.started_at,
            later.c.status.in_([RunStatus.SUCCEEDED, RunStatus.NEEDS_ATTENTION]),
        )
        query = sa.select(runs).where(
            runs.c.source == source,
            runs.c.status == RunStatus.NEEDS_ATTENTION,
            ~good.exists(),
        )
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(runs.c.stream)).all()
        return [Run(*tuple(row)) for row in rows]

    def backlogs(self, sources: Sequence[str]) -> dict[str, Backlog]:
        """Unsettled webhook events by source; sources without any are left out."""
        query = (
            sa.select(inbox.c.source, sa.func.count(), sa.func.min(inbox.c.received_at))
            .where(inbox.c.source.in_(sources), inbox.c.status.in_(["waiting", "thin"]))
            .group_by(inbox.c.source)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {source: Backlog(count, oldest) for source, count, oldest in rows}

    def quarantined(self) -> list[QuarantineCount]:
        """Waiting entries by source and sink."""
        group = (quarantine.c.source, quarantine.c.sink)
        query = (
            sa.select(*group, sa.func.count())
            .where(quarantine.c.status.in_(["open", "retry"]))
            .group_by(*group)
            .order_by(*group)
        )
        with self._database.read() as connection:
            return [QuarantineCount(*row) for row in connection.execute(query).all()]

    def given_up(self, within_seconds: float) -> list[GivenUp]:
        """Hooks whose latest call, not older than that, was given up."""
        latest = sa.select(sa.func.max(hook_calls.c.id)).group_by(hook_calls.c.hook)
        query = (
            sa.select(hook_calls.c.hook, hook_calls.c.error, hook_calls.c.due_at)
            .where(
                hook_calls.c.id.in_(latest.where(hook_calls.c.status.in_(["done", GIVEN_UP]))),
                hook_calls.c.status == GIVEN_UP,
                hook_calls.c.due_at > micros(self._clock) - int(within_seconds * 1e6),
            )
            .order_by(hook_calls.c.hook)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [GivenUp(row.hook, row.error or "", row.due_at) for row in rows]

    def remembered(self, sink: str) -> dict[str, dict[str, int]]:
        """How many remote objects a sink remembers, by kind and by `IdState`."""
        query = (
            sa.select(remote_ids.c.kind, remote_ids.c.state, sa.func.count())
            .where(remote_ids.c.sink == sink)
            .group_by(remote_ids.c.kind, remote_ids.c.state)
        )
        found: dict[str, dict[str, int]] = {}
        with self._database.read() as connection:
            for kind, state, count in connection.execute(query):
                found.setdefault(kind, {})[state] = count
        return found

    def room(self) -> Room:
        """What the state takes and what is left on its disk."""
        path = self._database.path
        if path is None:
            size = sa.select(sa.func.pg_database_size(sa.func.current_database()))
            with self._database.read() as connection:
                return Room(int(connection.execute(size).scalar_one()), None)
        log = path.with_name(f"{path.name}-wal")
        return Room(_size(path) + _size(log), shutil.disk_usage(path.parent).free)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # the log goes when the last program closes the state
        return 0
