"""Items of a listing known by their bytes: where nothing has changed since, nothing is to be done.

An item is known if the page with the same number of the latest full listing had it with the same
bytes, and its record still has the sequence that it had then. Then merging it could only find
what is there. What is kept here is a hint that the store confirms in the transaction which
commits the page; without it, or with a wrong one, the item is merged as any other.
"""

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from xxhash import xxh3_64_intdigest, xxh3_128_digest

from zimun_sync.store.database import Database
from zimun_sync.store.listings import Listings
from zimun_sync.store.schema import known_pages, records

_KEPT = ("digest", "marks", "seqs")
#: Pages that are looked up at once.
_AT_ONCE: Final = 8
#: Numbers that a stretch must have on average, or each is looked up by itself.
_WORTH_STRETCHES: Final = 4
_FIND = sa.select(known_pages.c.page, *(known_pages.c[name] for name in _KEPT)).where(
    known_pages.c.listing == sa.bindparam("listing"),
    known_pages.c.page.between(sa.bindparam("first"), sa.bindparam("last")),
)


class Prints(NamedTuple):
    """What a page's items are known by.

    Args:
        digest: of all of them, as they came.
        marks: one number of 64 bits for each.
    """

    digest: bytes
    marks: Sequence[int]


class KnownPage(NamedTuple):
    """A page as the latest full listing brought it.

    Args:
        prints: of its items.
        seqs: the sequence that each item's record had then; 0 where it was refused or doubted.
    """

    prints: Prints
    seqs: Sequence[int]


class PageChanged(Exception):
    """An item that was taken for known is not: the page has to be merged as a whole."""


class Printing:
    """Makes out what items are known by.

    XXH3, which takes a tenth of the time of a cryptographic hash. With a seed that nobody outside
    knows, a booking cannot be worded so that it is taken for what it was before.

    Args:
        secret: the seed is made of it; with another one nothing is known.
    """

    def __init__(self, secret: str) -> None:
        self._seed = xxh3_64_intdigest(secret.encode())

    def digest(self, items: Sequence[bytes]) -> bytes:
        """What a page is known by as a whole."""
        # Each item is a whole JSON value: put together, they can be read in one way only.
        return xxh3_128_digest(b"".join(items), self._seed)

    def marks(self, items: Sequence[bytes]) -> Sequence[int]:
        """What each item is known by."""
        seed = self._seed
        return [xxh3_64_intdigest(item, seed) for item in items]


class KnownListing:
    """The pages of one stream's latest full listing, for a listing that goes on.

    Args:
        pages: where they are kept.
        source: whose stream.
        stream: the listing's.

    Attributes:
        printing: what its items are known by.
    """

    def __init__(self, pages: "KnownPages", source: str, stream: str) -> None:
        self.printing = pages.printing
        self._pages = pages
        self._of = source, stream
        self._first = -1
        self._found: dict[int, Any] = {}

    def page(self, number: int) -> KnownPage | None:
        """The page with that number, from 0, if there were so many; its neighbours are read too."""
        first = number - number % _AT_ONCE
        if first != self._first:
            self._first, self._found = first, self._pages.rows(*self._of, first)
        row = self._found.get(number)
        if row is None:
            return None
        return KnownPage(Prints(row.digest, _unpacked(row.marks)), _unpacked(row.seqs))


class KnownPages:
    """Remembers pages, and finds them again.

    Args:
        database: the store's connections.
        listings: numbers of listings.
        printing: what items are known by.
    """

    def __init__(self, database: Database, listings: Listings, printing: Printing) -> None:
        self._database = database
        self._listings = listings
        self.printing = printing
        insert = database.upsert(known_pages)
        news = [insert.excluded[name] != known_pages.c[name] for name in _KEPT]
        self._keep = insert.on_conflict_do_update(
            index_elements=["listing", "page"],
            set_={name: insert.excluded[name] for name in _KEPT},
            where=sa.or_(*news),
        )
        of_listing = records.c.listing == sa.bindparam("listing")
        self._among = sa.select(sa.func.count()).where(
            of_listing, database.among(records.c.seq, sa.bindparam("seqs"))
        )
        stretches, first, last = database.each_stretch(sa.bindparam("stretches"))
        held = sa.select(sa.func.count()).where(of_listing, records.c.seq.between(first, last))
        self._within = sa.select(sa.func.sum(held.scalar_subquery())).select_from(stretches)

    def listing(self, source: str, stream: str) -> KnownListing:
        """Those of a stream's latest full listing."""
        return KnownListing(self, source, stream)

    def rows(self, source: str, stream: str, first: int) -> dict[int, Any]:
        """Rows of some pages, from the first one on, by their number."""
        with self._database.read() as connection:
            listing = self._listings.number(connection, source, stream)
            among = {"listing": listing, "first": first, "last": first + _AT_ONCE - 1}
            return {row.page: row for row in connection.execute(_FIND, among)}

    def still_stand(self, connection: Connection, listing: int, seqs: Sequence[int]) -> bool:
        """Whether no record with one of these sequences has changed since."""
        ordered = sorted(set(seqs))
        stretches = _stretches(ordered)
        if len(stretches) * _WORTH_STRETCHES > len(ordered):
            at = {"listing": listing, "seqs": self._database.numbers(ordered)}
            found = connection.execute(self._among, at)
        else:
            at = {"listing": listing, "stretches": self._database.stretches(stretches)}
            found = connection.execute(self._within, at)
        return bool(found.scalar_one() == len(ordered))

    def keep(self, connection: Connection, listing: int, number: int, page: KnownPage) -> None:
        """Remember what a page held; what was known of that number is forgotten."""
        kept = (page.prints.digest, _packed(page.prints.marks), _packed(page.seqs))
        place = {"listing": listing, "page": number}
        connection.execute(self._keep, place | dict(zip(_KEPT, kept, strict=True)))

    def forget_beyond(self, connection: Connection, listing: int, pages: int) -> None:
        """Forget the pages behind the last one of a listing that has become shorter."""
        connection.execute(
            sa.delete(known_pages).where(
                known_pages.c.listing == listing, known_pages.c.page >= pages
            )
        )


def _stretches(ordered: Sequence[int]) -> list[tuple[int, int]]:
    """The ends of stretches without a gap; numbers in order, each once."""
    if ordered[-1] - ordered[0] < len(ordered):
        return [(ordered[0], ordered[-1])]
    gaps = [at for at, (one, two) in enumerate(pairwise(ordered), start=1) if two - one > 1]
    starts, stops = [0, *gaps], [*gaps, len(ordered)]
    return [(ordered[a], ordered[b - 1]) for a, b in zip(starts, stops, strict=True)]


def _packed(numbers: Sequence[int]) -> bytes:
    return array("Q", numbers).tobytes()


def _unpacked(packed: bytes) -> Sequence[int]:
    numbers = array("Q")
    numbers.frombytes(packed)
    return numbers
