"""A page's records, its quarantine and the token after it, in one fenced transaction."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import repeat

from msgspec import Struct
from sqlalchemy.engine import Connection

from zimun_sync.normalize import Normalized, Refused
from zimun_sync.store import quarantine
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.known_pages import KnownPage, KnownPages, PageChanged, Printing, Prints
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.listings import Listings
from zimun_sync.store.merge import Standing
from zimun_sync.store.merging import (
    Arrival,
    Merger,
    Origin,
    Sorted,
    arrival_of,
    arrivals_of,
    lock_source,
    newest_by_key,
)
from zimun_sync.store.quarantine import SOURCE_SIDE
from zimun_sync.store.run import Run
from zimun_sync.store.runs import count_changes, turn_page
from zimun_sync.store.seen import Brought, before_page, keep_seen


class PageRecords(Struct, frozen=True):
    """A fetched page, normalized.

    Args:
        records: what could be normalized.
        refused: what could not.
        next_page_token: the checkpoint to commit with it; None after the last page.
        requested_at: when the page was asked for, by the server's clock, microseconds UTC.
        of_everything: whether the listing is a full one: what it never brings may be gone.
        prints: what the items are known by in the next full listing, in the order they came;
            None: what is known of the page stays as it is.
        kept: for each item 0, or the sequence of its record where it is known and neither
            among `records` nor `refused`; empty where none is known.
        correction: what was added to the store's clock for `requested_at`, microseconds.
    """

    records: Sequence[Normalized]
    refused: Sequence[Refused]
    next_page_token: str | None
    requested_at: int
    of_everything: bool = True
    prints: Prints | None = None
    kept: Sequence[int] = ()
    correction: int = 0


class PageOutcome(Struct, frozen=True):
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
        printing: what items are known by in the next full listing.

    Attributes:
        known: pages of the latest full listings.
    """

    def __init__(
        self,
        database: Database,
        listings: Listings,
        merger: Merger,
        clock: Clock,
        printing: Printing,
    ) -> None:
        self._database = database
        self._listings = listings
        self._merger = merger
        self._clock = clock
        self.known = KnownPages(database, listings, printing)

    def commit(self, lease: Lease, run: Run, page: PageRecords) -> PageOutcome:
        """Store a page and the checkpoint after it; all of it or nothing.

        Raises:
            PageChanged: an item of `kept` is not known any more; nothing was written.
            LeaseLost: another process took over; nothing was written.
            StoreError: the state could not be written; nothing was.
        """
        now = micros(self._clock)
        asked_at = page.requested_at
        listed = arrivals_of(page.records, asked_at)
        arrivals = newest_by_key(listed)
        kept = [seq for seq in page.kept if seq]
        origin, place = origin_of(run), (run.source, run.stream, SOURCE_SIDE)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            lock_source(connection, run.source)
            waiting = quarantine.waiting(connection, place)
            asked_of = {*arrivals, *(waiting if kept else ())}
            standing = self._merger.standing(connection, origin, [*asked_of]) if asked_of else {}
            if kept:
                self._make_sure(connection, run, kept, standing.values())
            # What stands was taken by the store's clock: whether it was there when this was asked
            # for is told by the same one.
            asked_here = asked_at - page.correction
            sorted_ = self._merger.take(connection, origin, arrivals, asked_here, now, standing)
            if len(arrivals) < len(listed):
                self._keep_doubled(connection, origin, listed, arrivals, now)
            refused = quarantine.without_dropped(connection, place, page.refused)
            quarantine.put(self._database, connection, place, refused, (run.run_id, now))
            entered = (each.key for each in refused)
            quarantine.close(connection, place, arrivals.keys(), {*waiting, *entered})
            if page.of_everything:
                self._keep_seen(connection, run, page, sorted_)
                self._keep_known(connection, run, page, sorted_)
            if page.next_page_token is None:
                self._merger.settle(connection, origin)
            counts = {"pages": 1, "changed": len(sorted_.changed)}
            if not run.reads_backward:  # else they were counted on the way forward
                counts["records"] = len(page.records) + len(page.refused) + len(kept)
                counts["quarantined"] = len(refused)
            times = (asked_at, now)
            advanced = turn_page(connection, run, counts, page.next_page_token, times)
        return PageOutcome(advanced, len(sorted_.changed), tuple(sorted_.disputed))

    def _make_sure(
        self, connection: Connection, run: Run, kept: Sequence[int], others: Iterable[Standing]
    ) -> None:
        """Raise PageChanged unless each known record stands by itself.

        It does not if it has changed, nor if it is among `others`: a later version of it waits in
        quarantine, or the same page shows another version of it.
        """
        listing = self._listings.number(connection, run.source, run.stream)
        if not self.known.still_stand(connection, listing, kept):
            raise PageChanged
        if not {each.seq for each in others}.isdisjoint(kept):
            raise PageChanged

    def _keep_known(
        self, connection: Connection, run: Run, page: PageRecords, sorted_: Sorted
    ) -> None:
        listing = self._listings.number(connection, run.source, run.stream)
        if page.prints is not None:
            refused = [each.raw for each in page.refused if each.raw is not None]
            marks = set(self.known.printing.marks(refused))
            known = KnownPage(page.prints, _seqs_by_item(page, page.prints, marks, sorted_))
            if any(known.seqs):
                self.known.keep(connection, listing, run.place, known)
        if page.next_page_token is None and not run.reads_backward:
            self.known.forget_beyond(connection, listing, run.pass_pages + 1)

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
        seqs = [*sorted_.seqs.values(), *(seq for seq in page.kept if seq)]
        if page.refused:
            keys = [refused.key for refused in page.refused]
            standing = self._merger.standing(connection, origin_of(run), keys)
            seqs += [each.seq for each in standing.values()]
        new = len(sorted_.changed) - len(sorted_.former)
        brought = {run.pages: Brought(seqs, run.page_token, new)}
        if sorted_.former:
            brought[before_page(run.pages)] = Brought(sorted_.former)
        keep_seen(connection, run.run_id, brought)

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


def _seqs_by_item(
    page: PageRecords, prints: Prints, refused: Collection[int], sorted_: Sorted
) -> list[int]:
    """For each item the sequence of its record; 0 where more than its bytes is to be looked at."""
    doubted = {*sorted_.disputed, *(each.record.key for each, _ in sorted_.late)}
    keys = [record.key for record in page.records]
    if len({*keys}) < len(keys):
        doubted |= {key for key, count in Counter(keys).items() if count > 1}
    # Without a time of its own, each listing that shows a record makes its version later.
    merged = [
        0 if record.updated_at is None or record.key in doubted else sorted_.seqs[record.key]
        for record in page.records
    ]
    if not (refused or page.kept):
        return merged
    rest = iter(merged)
    kept = page.kept or repeat(0, len(prints.marks))
    return [
        seq if seq or mark in refused else next(rest)
        for mark, seq in zip(prints.marks, kept, strict=True)
    ]


def origin_of(run: Run) -> Origin:
    """Where a run's records come from."""
    return Origin(run.source, run.stream, run.run_id)
