"""The store: one object whose parts own every transaction on the state."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from zimun_sync.model import STREAMS
from zimun_sync.store.activations import Activations
from zimun_sync.store.clock import Clock, micros, utc_now
from zimun_sync.store.database import BUSY_SECONDS, Database, parse_url
from zimun_sync.store.deliveries import Deliveries
from zimun_sync.store.erasing import Eraser
from zimun_sync.store.feed import Feed
from zimun_sync.store.fields import Fields
from zimun_sync.store.forgettings import Forgettings
from zimun_sync.store.hook_calls import HookCalls
from zimun_sync.store.inbox import Inbox
from zimun_sync.store.known_pages import Printing
from zimun_sync.store.leases import Lease, Leases
from zimun_sync.store.listings import Listings
from zimun_sync.store.lookup import StoreLookup
from zimun_sync.store.memory import SinkMemory
from zimun_sync.store.merging import Merger
from zimun_sync.store.missing import Missing
from zimun_sync.store.notices import Notices
from zimun_sync.store.opening import open_database, store_id
from zimun_sync.store.overview import Overview
from zimun_sync.store.pages import Pages
from zimun_sync.store.passes import Passes
from zimun_sync.store.pauses import Pauses
from zimun_sync.store.quarantine import Quarantine
from zimun_sync.store.redeliveries import Redeliveries
from zimun_sync.store.renormalize import Renormalizer
from zimun_sync.store.requests import Requests
from zimun_sync.store.retention import Retention
from zimun_sync.store.runs import Runs
from zimun_sync.store.schema import identity, sources
from zimun_sync.store.slots import Slots
from zimun_sync.store.standing import StandingRecords
from zimun_sync.store.troubles import Troubles
from zimun_sync.store.versions import Versions


class Store:
    """An open state. Thread safe; a context manager.

    Args:
        database: open connections to a state of the present schema.
        clock: aware UTC now.
        new_run_id: makes run ids; the default is by time and chance.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock = utc_now,
        new_run_id: Callable[[int], str] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self.store_id = store_id(database)
        self.leases = Leases(database, clock)
        self.runs = Runs(database, clock, *([new_run_id] if new_run_id else []))
        self._listings = listings = Listings(database)
        merger = Merger(database, listings)
        self.pages = Pages(database, listings, merger, clock, Printing(self.store_id))
        self.passes = Passes(database, listings)
        self.missing = Missing(database, listings, merger, clock)
        self.feed = Feed(database, listings)
        self.fields = Fields(database, clock)
        self.forgettings = Forgettings(database, clock)
        self.eraser = Eraser(database, clock)
        self.versions = Versions(database, listings)
        self.lookup = StoreLookup(self.feed)
        self.deliveries = Deliveries(database, clock)
        self.activations = Activations(database, clock)
        self.notices = Notices(database)
        self.quarantine = Quarantine(database)
        self.redeliveries = Redeliveries(database, clock)
        self.standing = StandingRecords(database, listings)
        self.requests = Requests(database, clock)
        self.slots = Slots(database, clock)
        self.pauses = Pauses(database, clock)
        self.inbox = Inbox(database, merger, clock)
        self.overview = Overview(database, listings, clock)
        self.troubles = Troubles(database, clock)
        self.hook_calls = HookCalls(database, clock)
        self.retention = Retention(database, clock)
        self.renormalizer = Renormalizer(database, listings, clock)

    @classmethod
    def open(
        cls, url: str, folder: Path, clock: Clock = utc_now, busy_seconds: float = BUSY_SECONDS
    ) -> "Store":
        """The state at a SQLAlchemy URL, made if there is none.

        Args:
            url: of a SQLite file or a PostgreSQL database.
            folder: what a relative SQLite path is relative to.
            clock: aware UTC now.
            busy_seconds: how long to wait while another program writes a SQLite state.

        Raises:
            ConfigError: not the URL of a state store.
            StateUnreadable: damaged, or not a zimun-sync state.
            StateTooNew: written by a newer release.
            StoreError: not reachable or not writable.
        """
        return cls(open_database(parse_url(url, folder), clock, busy_seconds), clock)

    def memory(self, sink: str, lease: Lease | None = None) -> SinkMemory:
        """What a sink remembers of its remote system.

        Args:
            sink: the sink's name.
            lease: the sink's; without it the memory only reads, and a write is a mistake.
        """
        return SinkMemory(self._database, self._clock, sink, lease)

    def add_source(self, name: str) -> None:
        """Make the source known; nothing happens if it is."""
        statement = self._database.upsert(sources).values(
            name=name, seq=0, normalized_with="", synced_barrier=0
        )
        with self._database.write(durable=False) as connection:
            connection.execute(statement.on_conflict_do_nothing())
            self._listings.add(connection, name, STREAMS)

    def organization(self, source: str) -> str | None:
        """The organization whose records this source has brought so far."""
        query = sa.select(sources.c.organization_id).where(sources.c.name == source)
        with self._database.read() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def remember_organization(self, source: str, organization_id: str) -> None:
        """Record the organization that this source stands for."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                sa.update(sources)
                .where(sources.c.name == source)
                .values(organization_id=organization_id)
            )

    def probe(self) -> None:
        """Write something of no consequence, durably.

        Raises:
            StoreError: the state cannot be written.
        """
        with self._database.write(durable=True) as connection:
            connection.execute(sa.update(identity).values(created_at=identity.c.created_at))

    def now(self) -> int:
        """The store's clock, microseconds since the epoch, UTC."""
        return micros(self._clock)

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
