"""A page's records, its quarantine and the token after it, in one fenced transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from zimun_sync.normalize import Normalized, Refused
from zimun_sync.store import quarantine
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.known_pages import KnownPage, KnownPages
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.listings import Listings
from zimun_sync.store.merging import Arrival, Merger, Origin, Sorted, arrival_of, newest_by_key
from zimun_sync.store.quarantine import SOURCE_SIDE
from zimun_sync.store.runs import Run, count_changes, turn_page
from zimun_sync.store.seen import keep_seen


@dataclass(frozen=True, slots=True)
class PageRecords:
    """A fetched page, normalized.

    Args:
        records: what could be normalized.
        refused: what could not.
        next_page_token: the checkpoint to commit with it; None after the last page.
        requested_at: when the page was asked for, by the server's clock, microseconds UTC.
        of_everything: whether the listing is a full one: what it never brings may be gone.
        digest: of the items as they came, to know them by in the next full listing.
    """

    records: Sequence[Normalized]
    refused: Sequence[Refused]
    next_page_token: str | None
    requested_at: int
    of_everything: bool = True
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What a committed page did.

    Args:
        run: the run with its new checkpoint and counts.
        changed: records that stand anew, or differently.
        disputed: keys whose standing version must be confirmed by id.
    """

    run: Run
    changed: int
    disputed: tuple[str, ...] = ()


class Pages:
    """Commits what a listing brings.

    Args:
        database: the store's connections.
        listings: numbers of listings.
        merger: the merge law.
        clock: aware UTC now.

    Attributes:
        known: pages of the latest full listings.
    """

    def __init__(
        self, database: Database, listings: Listings, merger: Merger, clock: Clock
    ) -> None:
        self._database = database
        self._listings = listings
        self._merger = merger
        self._clock = clock
        self.known = KnownPages(database, listings)

    def commit(self, lease: Lease, run: Run, page: PageRecords) -> PageOutcome:
        """Store a page and the checkpoint after it; all of it or nothing.

        Raises:
            LeaseLost: another process took over; nothing was written.
            StoreError: the state could not be written; nothing was.
        """
        now = micros(self._clock)
        asked_at = page.requested_at
        listed = [arrival_of(record, asked_at) for record in page.records]
        arrivals = newest_by_key(listed)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            sorted_ = self._merger.take(connection, origin_of(run), arrivals, asked_at, now)
            if len(arrivals) < len(listed):
                self._keep_doubled(connection, origin_of(run), listed, arrivals, now)
            place = (run.source, run.stream, SOURCE_SIDE)
            refused = quarantine.without_dropped(connection, place, page.refused)
            quarantine.put(self._database, connection, place, refused, (run.run_id, now))
            quarantine.close(connection, place, arrivals.keys())
            if page.of_everything:
                self._keep_seen(connection, run, page, sorted_)
                self._keep_known(connection, run, page, sorted_)
            counts = {
                "pages": 1,
                "records": len(page.records) + len(page.refused),
                "changed": len(sorted_.changed),
                "quarantined": len(refused),
            }
            times = (asked_at, now)
            advanced = turn_page(connection, run, counts, page.next_page_token, times)
        return PageOutcome(advanced, len(sorted_.changed), tuple(sorted_.disputed))

    def confirm(
        self,
        lease: Lease,
        run: Run,
        page: KnownPage,
        next_page_token: str | None,
        requested_at: int,
    ) -> Run | None:
        """Count a page of a full listing that is known by its bytes.

        Args:
            lease: the source's lease.
            run: of the listing.
            page: as `known` found it.
            next_page_token: the checkpoint to commit with it; None after the last page.
            requested_at: when the page was asked for, by the server's clock, microseconds UTC.

        Returns:
            The run with its new checkpoint; None, and nothing was written, if a record of the
            page has changed since, or waits in quarantine: then the page has to be merged.

        Raises:
            LeaseLost: another process took over; nothing was written.
            StoreError: the state could not be written; nothing was.
        """
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            listing = self._listings.number(connection, run.source, run.stream)
            if not self.known.still_stands(connection, listing, page):
                return None
            if self._waiting(connection, run) & set(page.seqs):
                return None
            keep_seen(connection, run.run_id, run.pages, page.seqs)
            counts = {"pages": 1, "records": len(page.seqs), "changed": 0, "quarantined": 0}
            times = (requested_at, micros(self._clock))
            return turn_page(connection, run, counts, next_page_token, times)

    def _waiting(self, connection: Connection, run: Run) -> set[int]:
        """Sequences of records of which a later version waits in quarantine."""
        keys = quarantine.waiting(connection, (run.source, run.stream, SOURCE_SIDE))
        if not keys:
            return set()
        return {
            each.seq for each in self._merger.standing(connection, origin_of(run), keys).values()
        }

    def _keep_known(
        self, connection: Connection, run: Run, page: PageRecords, sorted_: Sorted
    ) -> None:
        """Remember a page that was merged to the full, so that its bytes tell all of it."""
        doubted = page.refused or sorted_.disputed or sorted_.late
        if page.digest and not doubted and len(sorted_.seqs) == len(page.records):
            listing = self._listings.number(connection, run.source, run.stream)
            known = KnownPage(page.digest, sorted_.seqs)
            self.known.keep(connection, listing, run.pages, known)
            if page.next_page_token is None:
                self.known.forget_beyond(connection, listing, run.pages + 1)

    def _keep_doubled(
        self,
        connection: Connection,
        origin: Origin,
        listed: Sequence[Arrival],
        newest: Mapping[str, Arrival],
        now: int,
    ) -> None:
        """A record that one page shows in several versions has a past already."""
        for arrival in listed:
            if arrival is not newest[arrival.record.key]:
                self._merger.keep_older(connection, origin, arrival, now)

    def _keep_seen(
        self, connection: Connection, run: Run, page: PageRecords, sorted_: Sorted
    ) -> None:
        """A record that cannot be read any more was listed all the same: it is not missing."""
        seqs = sorted_.seqs
        if page.refused:
            keys = [refused.key for refused in page.refused]
            standing = self._merger.standing(connection, origin_of(run), keys)
            seqs = seqs + [each.seq for each in standing.values()]
        keep_seen(connection, run.run_id, run.pages, seqs)

    def take_in(self, lease: Lease, run: Run, record: Normalized, asked_at: int) -> Run:
        """Merge one record outside its listing, such as one that comes out of quarantine.

        Raises:
            LeaseLost: another process took over; nothing was written.
        """
        now = micros(self._clock)
        arrivals = {record.key: arrival_of(record, asked_at)}
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            sorted_ = self._merger.take(connection, origin_of(run), arrivals, asked_at, now)
            return count_changes(connection, run, len(sorted_.changed), now)

    def correct(
        self,
        lease: Lease,
        run: Run,
        answer: Normalized,
        asked_at: int,
        listed: Normalized | None = None,
    ) -> Run:
        """Make the answer of a `GET` by id stand, whatever version stood before.

        Args:
            lease: the source's lease.
            run: of the listing that disagreed with what stood.
            answer: what stands from now on.
            asked_at: when it was asked for, microseconds UTC.
            listed: what the listing showed. Where the answer is another and what it shows is
                older, it was an earlier state, and enters history at its place.

        Raises:
            LeaseLost: another process took over; nothing was written.
        """
        now = micros(self._clock)
        arrival = arrival_of(answer, asked_at)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            sorted_ = self._merger.overrule(connection, origin_of(run), arrival, now)
            if listed is not None and listed.updated_at is not None:
                outvoted = arrival_of(listed, listed.updated_at)
                self._merger.keep_older(connection, origin_of(run), outvoted, now)
            return count_changes(connection, run, len(sorted_.changed), now)


def origin_of(run: Run) -> Origin:
    """Where a run's records come from."""
    return Origin(run.source, run.stream, run.run_id)
