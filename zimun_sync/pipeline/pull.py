"""Pulling one stream: pages in, records normalized, page and checkpoint committed together."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from itertools import count

from zimun_sync.errors import (
    ListingDoubtful,
    NotFound,
    PageTokenCycle,
    PageTokenExpired,
    RecordInvalid,
    ScopeMissing,
    SourceError,
    WrongOrganization,
)
from zimun_sync.events import (
    DisputeSettled,
    Emit,
    ListingRestarted,
    PageStored,
    RunFinished,
    RunStarted,
)
from zimun_sync.model import from_micros, to_micros
from zimun_sync.normalize import Normalized, Normalizer
from zimun_sync.normalize.process import Setup
from zimun_sync.pipeline.ahead import Ahead, Fetch
from zimun_sync.pipeline.announcing import announce_fields
from zimun_sync.pipeline.backward import backward
from zimun_sync.pipeline.deletions import DeletionRules, Deletions
from zimun_sync.pipeline.horizon import MADE
from zimun_sync.pipeline.listings import Interrupted, Listings, Stopping
from zimun_sync.pipeline.normalizing import Normalizing, Ready
from zimun_sync.pipeline.passes import Paging, Passes
from zimun_sync.store import Lease, PageChanged, PageRecords, Run, RunStatus, Store
from zimun_sync.zimun import Page, TokenTrail

#: How often a listing begins again within one run because its page token expired.
MAX_RESTARTS = 3
#: The stream whose listing may be limited to what changed, and by how much listings overlap:
#: clocks differ, and a change may become visible a little after its own time stamp.
INCREMENTAL, OVERLAP = "appointments", timedelta(minutes=10)


class Extent(StrEnum):
    """How much a pull lists."""

    USUAL = "usual"  #: what is unfinished to its end, else what the API can tell has changed
    EVERYTHING = "everything"  #: all records, an unfinished listing of all of them to its end
    ANEW = "anew"  #: all records from the first page, whatever is unfinished


_NOT_OFFERED = (
    "Give the API client the scope availability:read, in Settings, API Clients (where the setting "
    "`scopes` is used, name it there too); or take {stream} out of the source's `streams`."
)


@dataclass(slots=True)
class Pull:
    """Pulls streams of one source.

    Args:
        source: the source's name.
        listings: the API.
        store: where pages go.
        lease: the right to write for this source.
        ahead: how pages are got ready.
        emit: told what happens.
        stopping: asked between pages.
        rules: how far deletions may go by themselves.
        paging: whether records stay on their page while a listing is read.
    """

    source: str
    listings: Listings
    store: Store
    lease: Lease
    ahead: Ahead
    emit: Emit
    stopping: Stopping
    rules: DeletionRules = field(default_factory=DeletionRules)
    paging: Paging = Paging.AUTO
    _organization: str | None = None

    def run(self, setup: Setup, extent: Extent = Extent.USUAL) -> Run:
        """List one stream to its end, or as far as it goes; the run tells how it ended.

        Args:
            setup: the stream, and how its records are normalized.
            extent: how much of it.

        Raises:
            LeaseLost: another process took over.
            StoreError: the state could not be written.
            Interrupted: the process was asked to end.
        """
        usual = extent is Extent.USUAL
        params = self._changed_since_last_time(setup.stream) if usual else {}
        run = self.store.runs.begin(
            self.lease,
            self.source,
            setup.stream,
            self.listings.listing_parameters(setup.stream, params),
            fresh=extent is Extent.ANEW,
        )
        self.emit(RunStarted(self.source, setup.stream, run.run_id, run.resumes > 0, run.pages))
        ended = self._run(run, setup, params)
        self.emit(_finished(ended))
        return ended

    def _run(self, run: Run, setup: Setup, params: Mapping[str, str]) -> Run:
        try:
            run = self._list(run, setup, params) if params else self._list_everything(run, setup)
            return self.store.runs.succeed(self.lease, run, listed_everything=not params)
        except ListingDoubtful as doubt:
            return self.store.runs.finish(self.lease, run, RunStatus.NEEDS_ATTENTION, doubt)
        except (NotFound, ScopeMissing) as error:
            return self._not_offered(run, error)
        except PageTokenCycle as error:
            # The checkpoint lies on the circle; resuming there would go round again.
            return self._failed(self.store.runs.restart_listing(self.lease, run), error)
        except SourceError as error:
            if self.stopping():  # a wait was cut short: nothing failed
                raise Interrupted from error
            return self._failed(run, error)

    def _list_everything(self, run: Run, setup: Setup) -> Run:
        """Pass after pass until the listing has settled; then what none of them brought."""
        normalizer, passes = setup.normalizer(), self._passes(setup.stream)
        while True:
            run = self._list(run, setup, {})
            following = passes.after_listing(run)
            if following is None:
                may_repeat = passes.may_repeat(run)
                settled = self.deletions.settle(
                    self.store.runs.get(run.run_id), normalizer, may_repeat=may_repeat
                )
                run = settled.run
                if settled.again:
                    following = passes.begin(run, settled.again, forward=settled.to_its_end)
            if following is None:
                return run
            run = following

    def _passes(self, stream: str) -> Passes:
        # What is made of many requests has no pages that records could move between.
        paging = Paging.STABLE if stream in MADE else self.paging
        return Passes(self.store, self.lease, paging, self.emit)

    @property
    def deletions(self) -> Deletions:
        """What follows a complete listing."""
        return Deletions(
            self.listings, self.store, self.lease, self.rules, self.emit, self.stopping
        )

    def _changed_since_last_time(self, stream: str) -> dict[str, str]:
        """Parameters of an incremental listing; empty for streams that are listed in full."""
        last = self.store.runs.last_success(self.source, stream)
        if stream != INCREMENTAL or last is None or last.listing_requested_at is None:
            return {}
        return self.listings.changed_since(from_micros(last.listing_requested_at) - OVERLAP)

    def _list(self, run: Run, setup: Setup, params: Mapping[str, str]) -> Run:
        while not run.listing_complete:
            try:
                run = self._list_on(run, setup, params)
            except PageTokenExpired as error:
                if run.restarts >= MAX_RESTARTS:
                    raise
                run = self.store.runs.restart_listing(self.lease, self.store.runs.get(run.run_id))
                self.emit(ListingRestarted(self.source, run.stream, run.run_id, str(error)))
        return run

    def _list_on(self, run: Run, setup: Setup, params: Mapping[str, str]) -> Run:
        """List from the run's checkpoint to the last page."""
        trail = TokenTrail()
        fetch: Fetch = partial(self._page, run.stream, params)
        if run.reads_backward:
            fetch = backward(fetch, self.store.runs.way_back(self.lease, run))
        # What is listed of changes only has no pages that come again.
        known = None if params else self.store.pages.known.listing(self.source, run.stream)
        step = -1 if run.reads_backward else 1
        with (
            Normalizing(setup, self.emit, known, count(run.place, step)) as normalizing,
            closing(self.ahead(fetch, normalizing, run.page_token)) as pages,
        ):
            for page, ready in pages:
                if page.next_page_token is not None:
                    trail.follow(page.next_page_token, run.stream)
                run = self._store(run, page, ready, normalizing, full=not params)
                self.emit(_progress(run))
                if self.stopping() and not run.listing_complete:
                    raise Interrupted
        return run

    def _page(self, stream: str, params: Mapping[str, str], page_token: str | None) -> Page:
        return self.listings.page(stream, page_token, params)

    def _store(
        self, run: Run, page: Page, ready: Ready, normalizing: Normalizing, *, full: bool
    ) -> Run:
        normalizer = normalizing.normalizer
        try:
            return self._merge(run, page, ready, normalizer, full=full)
        except PageChanged:  # by a webhook, since the last listing or just now
            return self._merge(run, page, normalizing.whole(page), normalizer, full=full)

    def _merge(
        self, run: Run, page: Page, ready: Ready, normalizer: Normalizer, *, full: bool
    ) -> Run:
        items, prints, kept = ready
        self._check_organization(items.records, normalizer)
        # Before the page is stored: what is known by its bytes will not be looked at again.
        announce_fields(self.store, self.emit, self.source, run.stream, items.noticed)
        requested_at = to_micros(page.requested_at)
        content = PageRecords(
            items.records,
            items.refused,
            page.next_page_token,
            requested_at,
            of_everything=full,
            prints=prints,
            kept=kept,
            correction=round(page.correction * 1e6),
        )
        outcome = self.store.pages.commit(self.lease, run, content)
        run = outcome.run
        for key in outcome.disputed:
            run = self._settle(run, normalizer, key, items.records, requested_at)
        return run

    def _check_organization(self, records: Sequence[Normalized], normalizer: Normalizer) -> None:
        """Keep one source from mixing two organizations' records.

        Raises:
            WrongOrganization: the page is another organization's; nothing of it is stored.
        """
        listed = next(filter(None, (normalizer.organization_of(each) for each in records)), None)
        if listed is None:
            return
        known = self._organization or self.store.organization(self.source)
        self._organization = known or listed
        if known is None:
            self.store.remember_organization(self.source, listed)
        elif known != listed:
            raise WrongOrganization(
                f"The credentials of source {self.source!r} belong to organization {listed!r}, "
                f"but its records so far are of {known!r}.",
                hint="Use the credentials of that organization, or give the other one a source "
                "of its own.",
            )

    def _settle(
        self,
        run: Run,
        normalizer: Normalizer,
        key: str,
        listed: Iterable[Normalized],
        listed_at: int,
    ) -> Run:
        """Let the API's answer by id, or else its latest listing, overrule what stood."""
        shown = next(each for each in listed if each.key == key)
        if self.listings.has_by_id(run.stream):
            try:
                answer = self.listings.record(run.stream, key)
                record = normalizer.normalize(bytes(answer.items[0]))
            except (NotFound, RecordInvalid):
                return run  # gone or unreadable by now: the next listing tells
            asked_at = to_micros(answer.requested_at)
        else:
            record, asked_at = shown, listed_at
        run = self.store.pages.correct(self.lease, run, record, asked_at, listed=shown)
        self.emit(DisputeSettled(self.source, run.stream, run.run_id, key))
        return run

    def _not_offered(self, run: Run, error: NotFound | ScopeMissing) -> Run:
        if run.stream in MADE:
            error = type(error)(error.message, hint=_NOT_OFFERED.format(stream=run.stream))
        elif run.stream == "appointments" or isinstance(error, ScopeMissing):
            return self._failed(run, error)
        return self.store.runs.finish(self.lease, run, RunStatus.NOT_OFFERED, error)

    def _failed(self, run: Run, error: SourceError) -> Run:
        return self.store.runs.finish(self.lease, run, RunStatus.FAILED, error)


def _progress(run: Run) -> PageStored:
    return PageStored(
        run.source,
        run.stream,
        run.run_id,
        run.pages,
        run.records,
        run.changed,
        run.quarantined,
    )


def _finished(run: Run) -> RunFinished:
    return RunFinished(
        run.source,
        run.stream,
        run.run_id,
        run.status,
        run.pages,
        run.records,
        run.changed,
        run.quarantined,
        run.error or "",
        run.hint or "",
        run.passes,
        run.found_late,
    )
