"""What the pages of a pass over a listing tell: whether it moved, and what was found late.

Nothing is kept but the sequences that each page brought, so a resumed run sees what the killed
one saw.
"""

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.database import Database
from zimun_sync.store.listings import Listings
from zimun_sync.store.missing import MissingState
from zimun_sync.store.runs import Run
from zimun_sync.store.schema import missing, records, seen, sources
from zimun_sync.store.seen import before_page, has_bit, set_bits

_CHUNK: Final = 5_000


class Pass(NamedTuple):
    """A complete pass over a listing.

    Args:
        repeated: records that came, unchanged, on more than one of its pages.
        changed: records that had changed when they came on a second one.
        found_late: records that stood before the run began and that no pass before it brought;
            0 for the first pass.
    """

    repeated: int
    changed: int
    found_late: int


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
        """What the latest pass of a run tells, with its last page stored."""
        first = run.pages - run.pass_pages
        with self._database.read() as connection:
            before, here = self._no_bits(connection, run), self._no_bits(connection, run)
            for packed in _pages(connection, run, seen.c.page.between(0, first - 1)):
                set_bits(before, packed)
            brought, late = 0, set[int]()
            for packed in _pages(connection, run, seen.c.page >= first):
                brought += len(set(_unpacked(packed)))
                set_bits(here, packed)
                if run.passes > 1:
                    late.update(seq for seq in _unpacked(packed) if not has_bit(before, seq))
            repeated = brought - int.from_bytes(here, "little").bit_count()
            former = _pages(connection, run, seen.c.page <= before_page(first))
            changed = sum(has_bit(here, seq) for packed in former for seq in _unpacked(packed))
            return Pass(repeated, changed, self._standing(connection, run, sorted(late)))

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


def _found_by_id(listing: int, run: Run) -> sa.Select[tuple[str]]:
    return sa.select(missing.c.key).where(
        missing.c.listing == listing,
        missing.c.run_id == run.run_id,
        missing.c.state == MissingState.UNLISTED,
    )


def _pages(connection: Connection, run: Run, which: sa.ColumnElement[bool]) -> Iterator[bytes]:
    query = sa.select(seen.c["keys"]).where(seen.c.run_id == run.run_id, which)
    yield from connection.execute(query.execution_options(yield_per=100)).scalars()


def _unpacked(packed: bytes) -> "array[int]":
    seqs = array("Q")
    seqs.frombytes(packed)
    return seqs
