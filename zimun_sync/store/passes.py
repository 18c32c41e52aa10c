"""What the pages of a pass over a listing tell: whether it moved, and what was found late.

Nothing is kept but the sequences that each page brought, so a resumed run sees what the killed
one saw; and from run to run those that come on two pages every time.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.database import Database
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.listings import Listings
from zimun_sync.store.missing import MissingState
from zimun_sync.store.run import Run
from zimun_sync.store.schema import missing, records, runs, seen, sources
from zimun_sync.store.seen import (
    ALWAYS_TWICE,
    Brought,
    before_page,
    first_new,
    has_bit,
    keep_seen,
    of_pages,
    set_bits,
)

_CHUNK: Final = 5_000


class Pass(NamedTuple):
    """A complete pass over a listing.

    Args:
        repeated: records that came, unchanged, on more than one page of the latest pass
            forward, but for those of `always_twice`.
        changed: records that had changed when they came on a second one.
        found_late: records that stood before the run began and that no pass before it brought;
            0 for the first pass.
        always_twice: sequences of those that came on more than one page now and in the last
            listing; or of all that did, where they are the same as in the first pass.
        first_new: the first of its pages, from 0, that brought records which were not known.
    """

    repeated: int
    changed: int
    found_late: int
    always_twice: frozenset[int] = frozenset()
    first_new: int | None = None


class Passes:
    """Looks back on passes.

    Args:
        database: the store's connections.
        listings: numbers of listings.
    """

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings

    def look(self, run: Run) -> Pass:
        """What the latest pass of a run tells, with its last page stored.

        Records on two pages are those of the latest pass forward: they moved towards the end,
        which is what a pass backward may miss and does not show.
        """
        first = run.pages - run.pass_pages
        latest = range(first, run.pages)
        forward = range(first - run.back_from, first) if run.reads_backward else latest
        with self._database.read() as connection:
            here, brought = self._no_bits(connection, run), 0
            for packed in _pages(connection, run, forward):
                brought += len(set(_unpacked(packed)))
                set_bits(here, packed)
            former = _pages(connection, run, range(ALWAYS_TWICE + 1, before_page(first) + 1))
            changed = sum(has_bit(here, seq) for packed in former for seq in _unpacked(packed))
            found_late = self._found_late(connection, run, latest) if run.passes > 1 else 0
            new = first_new(connection, run.run_id, latest)
            found = Pass(0, changed, found_late, first_new=None if new is None else new - first)
            if brought == int.from_bytes(here, "little").bit_count():
                return found
            twice = self._twice(connection, run, forward)
            always = self._always_twice(connection, run, twice)
            return found._replace(repeated=len(twice - always), always_twice=always)

    def _found_late(self, connection: Connection, run: Run, latest: range) -> int:
        before, late = self._no_bits(connection, run), set[int]()
        for packed in _pages(connection, run, range(latest.start)):
            set_bits(before, packed)
        for packed in _pages(connection, run, latest):
            late.update(seq for seq in _unpacked(packed) if not has_bit(before, seq))
        return self._standing(connection, run, sorted(late))

    def _twice(self, connection: Connection, run: Run, pages: range) -> frozenset[int]:
        bits, found = self._no_bits(connection, run), set[int]()
        for packed in _pages(connection, run, pages):
            found.update(seq for seq in set(_unpacked(packed)) if has_bit(bits, seq))
            set_bits(bits, packed)
        return frozenset(found)

    def _always_twice(
        self, connection: Connection, run: Run, twice: frozenset[int]
    ) -> frozenset[int]:
        """Those of records on two pages of a pass that movement is no reason for."""
        first = run.pages - run.pass_pages
        other = range(first, run.pages) if run.reads_backward else range(first)
        if run.passes == 2 and twice == self._twice(connection, run, other):  # noqa: PLR2004 - the second
            return twice
        known = (
            sa.select(seen.c["keys"])
            .where(_remembered(run))
            .order_by(seen.c.run_id.desc())
            .limit(1)
        )
        packed = connection.execute(known).scalar_one_or_none() or b""
        return twice.intersection(_unpacked(packed))

    def remember(self, lease: Lease, run: Run, always_twice: Iterable[int]) -> None:
        """Take down for the next run what comes on two pages every time.

        Args:
            lease: the source's lease.
            run: whose listing has settled.
            always_twice: of its latest pass.

        Raises:
            LeaseLost: another process took over; nothing was written.
        """
        seqs, former = sorted(always_twice), sa.select(seen.c.run_id).where(_remembered(run))
        with self._database.read() as connection:
            if not seqs and connection.execute(former.limit(1)).first() is None:
                return
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            connection.execute(sa.delete(seen).where(_remembered(run)))
            if seqs:
                keep_seen(connection, run.run_id, {ALWAYS_TWICE: Brought(seqs)})

    def _no_bits(self, connection: Connection, run: Run) -> bytearray:
        head = sa.select(sources.c.seq).where(sources.c.name == run.source)
        return bytearray(connection.execute(head).scalar_one() // 8 + 1)

    def _standing(self, connection: Connection, run: Run, seqs: Sequence[int]) -> int:
        """How many of them are records that are no newer than the run.

        One that was made or edited while the listing was read may rightly come later, and one
        that was asked for by id is found already.
        """
        began = run.started_at if run.listing_requested_at is None else run.listing_requested_at
        old = sa.or_(records.c.since < began, records.c.observed_at < run.started_at)
        listing = self._listings.number(connection, run.source, run.stream)
        query = sa.select(sa.func.count()).where(
            records.c.listing == listing,
            old,
            self._database.among(records.c.seq, sa.bindparam("seqs")),
            records.c.key.not_in(_found_by_id(listing, run)),
        )
        return sum(
            connection.execute(
                query, {"seqs": self._database.numbers(seqs[at : at + _CHUNK])}
            ).scalar_one()
            for at in range(0, len(seqs), _CHUNK)
        )


def _remembered(run: Run) -> sa.ColumnElement[bool]:
    """What a run of the same listing, or this one, took down for those to come."""
    same = sa.select(runs.c.run_id).where(runs.c.source == run.source, runs.c.stream == run.stream)
    return sa.and_(seen.c.page == ALWAYS_TWICE, seen.c.run_id.in_(same))


def _found_by_id(listing: int, run: Run) -> sa.Select[str]:
    return sa.select(missing.c.key).where(
        missing.c.listing == listing,
        missing.c.run_id == run.run_id,
        missing.c.state == MissingState.UNLISTED,
    )


def _pages(connection: Connection, run: Run, pages: range) -> Iterator[bytes]:
    query = sa.select(seen.c["keys"]).where(of_pages(run.run_id, pages))
    yield from connection.execute(query.execution_options(yield_per=100)).scalars()


def _unpacked(packed: bytes) -> "array[int]":
    seqs = array("Q")
    seqs.frombytes(packed)
    return seqs
