"""One process of the daemon: the real parts, put together as the daemon does."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from threading import Event as Signal
from typing import Any, Final

from pydantic import SecretStr

from tests.simulation.api import BASE, Wire
from tests.simulation.clock import SimClock
from tests.simulation.profile import Profile
from zimun_sync.errors import ConfigError, SourceError
from zimun_sync.events import Event
from zimun_sync.model import in_order
from zimun_sync.normalize import Rules
from zimun_sync.pipeline.ahead import IN_FLIGHT, Ahead, Fetch, Prepare, Prepared, in_turn
from zimun_sync.pipeline.approving import approve, confirm
from zimun_sync.pipeline.contact import Surroundings, delivery_of, sink_lease, source_lease
from zimun_sync.pipeline.deletions import DeletionRules
from zimun_sync.pipeline.deliver import Delivery, Progress
from zimun_sync.pipeline.inbox import Applying, Fetching
from zimun_sync.pipeline.keeper import Leases
from zimun_sync.pipeline.listings import EventSource
from zimun_sync.pipeline.pull import Extent
from zimun_sync.pipeline.retries import Retrying
from zimun_sync.pipeline.sources import SourceJob, SourcePull
from zimun_sync.sinks import Sink
from zimun_sync.store import LEASE_SECONDS, Brake, Run, RunStatus, Store
from zimun_sync.zimun import ClientSettings, Timing, ZimunClient

SOURCE: Final = "main"
_PLACES: Final = ("organization", "locations")
_RULES: Final = Rules({}, {})


class Process:
    """What works on the state, a step at a time; each step is one that a thread would do.

    Args:
        store: open.
        wire: the way to the API.
        sinks: by name, not open.
        clock: our clock.
        profile: how the source is pulled.
        emit: told what happens.
        told: told what else happens, in words.

    Raises:
        LeaseHeld: another process works on the state.
    """

    def __init__(
        self,
        store: Store,
        wire: Wire,
        sinks: Mapping[str, Sink],
        clock: SimClock,
        profile: Profile,
        *,
        emit: Callable[[Event], None],
        told: Callable[[str], None],
    ) -> None:
        self.store = store
        self._told = told
        self._clock = clock
        self._ahead: Ahead = one_ahead if profile.ahead else in_turn
        self._emit = emit
        self._busy: set[str] = set()
        store.add_source(SOURCE)
        names = [source_lease(SOURCE), *map(sink_lease, sinks)]
        self.leases = Leases(store, names)
        self.leases.acquire()
        self._renewed_at = clock.true
        self.job = _job(wire, clock, profile)
        source = EventSource(SOURCE, _RULES, self.leases.held[source_lease(SOURCE)])
        self._applying = Applying(source, store, emit)
        self._fetching = Fetching(source, self.job.listings, store, emit, _never)
        self._retrying = Retrying(source, store)
        at = Surroundings(store, emit, Signal())
        self.deliveries = {name: self._delivery(name, sink, at) for name, sink in sinks.items()}

    def _delivery(self, name: str, sink: Sink, at: Surroundings) -> Delivery:
        lease = self.leases.held[sink_lease(name)]
        delivery = delivery_of(name, sink, lease, {SOURCE: self.job.streams}, at)
        delivery.jitter = lambda: 0.5
        return delivery

    def keep_leases(self) -> None:
        """What the leases' own thread does in time."""
        if self._clock.true - self._renewed_at > LEASE_SECONDS / 3:
            self._renewed_at = self._clock.true
            self.leases.renew()

    def pull(self, *, full: bool = False) -> list[Run]:
        """List every stream; a listing that waits for a person is approved another time."""
        with self._alone("pull") as free:
            if not free:
                return []
            lease = self.leases.held[source_lease(SOURCE)]
            pull = SourcePull(self.job, self.store, lease, self._ahead, self._emit, _never)
            return list(pull.runs(Extent.ANEW if full else Extent.USUAL))

    def apply(self) -> bool:
        """Merge what events carry; tells whether there was anything to do."""
        with self._alone("apply") as free:
            return free and (self._applying.step() or self._retrying.step())

    def fetch(self) -> bool:
        """Fetch what events only name; tells whether that came to anything."""
        with self._alone("fetch") as free:
            try:
                return free and self._fetching.step()
            except SourceError as error:
                self._told(f"nothing can be fetched: {error.message}")
                return False

    def deliver(self, name: str) -> Progress:
        """One round of one sink."""
        with self._alone(f"deliver to {name}") as free:
            return self.deliveries[name].step(more=False) if free else Progress.WAITING

    def approve(self) -> None:
        """A person lets deletions go on that wait for approval."""
        with self._alone("pull") as free:
            if not free:
                return
            for run in self.store.runs.recent(10, status=RunStatus.NEEDS_ATTENTION):
                try:
                    approved = approve(self.store, run.run_id)
                    lease = self.leases.held[source_lease(SOURCE)]
                    confirm(self.store, self.job, lease, approved.run_id, self._emit, _never)
                except (ConfigError, SourceError) as error:
                    self._told(f"nothing is approved: {error.message}")

    def end(self) -> None:
        """End in good order."""
        for delivery in self.deliveries.values():
            delivery.close()
        self.leases.release()

    @contextmanager
    def _alone(self, actor: str) -> Iterator[bool]:
        """Whether the thread that does this is free."""
        if actor in self._busy:
            yield False
            return
        self._busy.add(actor)
        try:
            yield True
        finally:
            self._busy.discard(actor)


def one_ahead(
    fetch: Fetch, prepare: Prepare, page_token: str | None
) -> Generator[Prepared, None, None]:
    """As `on_threads` where the network is always faster than the store; without its threads."""
    ready: deque[Prepared | Exception] = deque()
    more = True
    while more or ready:
        while more and len(ready) < IN_FLIGHT:
            try:
                page = fetch(page_token)
                ready.append(Prepared(page, prepare(page)))
            except Exception as error:  # noqa: BLE001 - raised again where its page is taken
                ready.append(error)
                more = False
                break
            page_token = page.next_page_token
            more = page_token is not None
        first = ready.popleft()
        if isinstance(first, Exception):
            raise first
        yield first


def _never() -> bool:
    return False


def _job(wire: Wire, clock: SimClock, profile: Profile) -> SourceJob:
    timing = Timing(clock.ours, clock.monotonic, lambda: 0.5, clock.pass_by)
    client = ZimunClient(
        _settings(profile.page_size, profile.incremental), transport=wire, timing=timing
    )
    streams = in_order(["appointments", *_PLACES * profile.places, *["staff"] * profile.staff])
    rules = DeletionRules(Brake(0.05, profile.brake), checks=5)
    return SourceJob(SOURCE, client, _RULES, streams, rules, lambda: client.clock_ahead)


@cache
def _settings(page_size: int, incremental: bool) -> ClientSettings:
    more: dict[str, Any] = {"updated_since_parameter": "updated_since"} if incremental else {}
    return ClientSettings(
        base_url=BASE,
        client_id="id",
        client_secret=SecretStr("secret"),
        page_size=page_size,
        max_attempts=4,
        **more,
    )
