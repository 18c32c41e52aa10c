"""Pulling every stream of one source, in the order that lets appointments know their zone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from zimun_sync.errors import AuthenticationFailed, SourceUnavailable, WrongOrganization
from zimun_sync.events import Emit
from zimun_sync.model import PULLED
from zimun_sync.normalize import Rules
from zimun_sync.normalize.process import Setup
from zimun_sync.pipeline.ahead import Ahead
from zimun_sync.pipeline.deletions import DeletionRules
from zimun_sync.pipeline.horizon import Horizon
from zimun_sync.pipeline.listings import EventSource, Interrupted, Listings, Stopping
from zimun_sync.pipeline.offers import HorizonRules
from zimun_sync.pipeline.passes import Paging
from zimun_sync.pipeline.places import places_of, rules_now
from zimun_sync.pipeline.pull import Extent, Pull
from zimun_sync.pipeline.renormalizing import renormalize
from zimun_sync.pipeline.retries import Retrying
from zimun_sync.store import Lease, Run, RunStatus, Store

_PLACES = frozenset({"organization", "locations"})
_HOPELESS = (AuthenticationFailed, SourceUnavailable, WrongOrganization)


@dataclass(frozen=True, slots=True)
class SourceJob:
    """What a sync needs to know of a source.

    Args:
        name: the source's name.
        listings: its API.
        rules: the user's words on its fields.
        streams: what to pull.
        deletions: how far deletions may go by themselves.
        clock_ahead: seconds that its clock is ahead of ours.
        horizon: how its availability is asked for.
        paging: whether records stay on their page while a listing is read.
    """

    name: str
    listings: Listings
    rules: Rules
    streams: Sequence[str]
    deletions: DeletionRules = field(default_factory=DeletionRules)
    clock_ahead: Callable[[], float] = lambda: 0.0
    horizon: HorizonRules = field(default_factory=HorizonRules)
    paging: Paging = Paging.AUTO

    def all_listings(self, store: Store) -> Horizon:
        """Every listing of one pull: the API's own, and those made of what the store knows."""
        return Horizon(self.listings, store, self.name, self.horizon, self.clock_ahead)


class SourcePull(Struct, frozen=True):
    """Pulls one source once.

    Args:
        job: the source.
        store: where records go.
        lease: the right to write for this source.
        ahead: how pages are got ready.
        emit: told what happens.
        stopping: asked between pages.
    """

    job: SourceJob
    store: Store
    lease: Lease
    ahead: Ahead
    emit: Emit
    stopping: Stopping

    def runs(self, extent: Extent = Extent.USUAL) -> Iterator[Run]:
        """Pull stream after stream; ends early when the source cannot be reached at all.

        Args:
            extent: how much of each.

        Raises:
            LeaseLost: another process took over.
            StoreError: the state could not be written.
            Interrupted: the process was asked to end.
        """
        pull = Pull(
            self.job.name,
            self.job.all_listings(self.store),
            self.store,
            self.lease,
            self.ahead,
            self.emit,
            self.stopping,
            self.job.deletions,
            self.job.paging,
        )
        self._retry_quarantined()
        for stream in (name for name in PULLED if name in self.job.streams):
            if self.stopping():
                raise Interrupted
            run = pull.run(self._setup(stream), extent)
            yield run
            if run.status == RunStatus.FAILED and self._is_hopeless(run):
                return

    def renormalize(self) -> None:
        """Bring what is stored up to date with the rules of today; the API is not asked.

        Raises:
            LeaseLost: another process took over.
            StoreError: the state could not be written.
        """
        renormalize(self.store, self._source(), self.emit)

    def _retry_quarantined(self) -> None:
        Retrying(self._source(), self.store).step()

    def _source(self) -> EventSource:
        return EventSource(self.job.name, self.job.rules, self.lease)

    def _is_hopeless(self, run: Run) -> bool:
        """Whether the other streams would fail alike: not reachable, or not let in."""
        return run.failure in {error.__name__ for error in _HOPELESS}

    def _setup(self, stream: str) -> Setup:
        places = places_of(self.store, self.job.name)
        if stream not in _PLACES:
            renormalize(self.store, self._source(), self.emit, places)
        return Setup(stream, rules_now(self.store, self.job.name, self.job.rules), places)
