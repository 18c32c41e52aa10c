"""Items of a listing known by their bytes: where nothing has changed since, nothing is to be done.

An item is known if the page with the same number of the latest full listing had it with the same
bytes, and its record still has the sequence that it had then. Then merging it could only find
what is there. What is kept here is a hint that the store confirms in the transaction which
commits the page; without it, or with a wrong one, the item is merged as any other.
"""

from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.database import Database
from zimun_sync.store.listings import Listings
from zimun_sync.store.schema import known_pages, records

_DIGEST_BYTES: Final = 16
_MARK_BYTES: Final = 8
_KEPT = ("digest", "marks", "seqs")
_FIND = sa.select(*(known_pages.c[name] for name in _KEPT)).where(
    known_pages.c.listing == sa.bindparam("listing"), known_pages.c.page == sa.bindparam("page")
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


class KnownPages:
    """Remembers pages, and finds them again.

    Args:
        database: the store's connections.
        listings: numbers of listings.
    """

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings
        insert = database.upsert(known_pages)
        news = [insert.excluded[name] != known_pages.c[name] for name in _KEPT]
        self._keep = insert.on_conflict_do_update(
            index_elements=["listing", "page"],
            set_={name: insert.excluded[name] for name in _KEPT},
            where=sa.or_(*news),
        )
        self._standing = sa.select(sa.func.count()).where(
            records.c.listing == sa.bindparam("listing"),
            database.among(records.c.seq, sa.bindparam("seqs")),
        )

    def find(self, source: str, stream: str, page: int) -> KnownPage | None:
        """The page with that number in the latest full listing, if it had so many."""
        with self._database.read() as connection:
            at = {"listing": self._listings.number(connection, source, stream), "page": page}
            row = connection.execute(_FIND, at).one_or_none()
        if row is None:
            return None
        return KnownPage(Prints(row.digest, _unpacked(row.marks)), _unpacked(row.seqs))

    def still_stand(self, connection: Connection, listing: int, seqs: Sequence[int]) -> bool:
        """Whether no record with one of these sequences has changed since."""
        at = {"listing": listing, "seqs": self._database.numbers(seqs)}
        return bool(connection.execute(self._standing, at).scalar_one() == len(set(seqs)))

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


def digest_of(items: Sequence[bytes]) -> bytes:
    """What a page is known by as a whole."""
    # Each item is a whole JSON value: put together, they can be read in one way only.
    return blake2b(b"".join(items), digest_size=_DIGEST_BYTES).digest()


def marks_of(items: Sequence[bytes]) -> Sequence[int]:
    """What each item is known by."""
    return _unpacked(b"".join([blake2b(item, digest_size=_MARK_BYTES).digest() for item in items]))


def _packed(numbers: Sequence[int]) -> bytes:
    return array("Q", numbers).tobytes()


def _unpacked(packed: bytes) -> Sequence[int]:
    numbers = array("Q")
    numbers.frombytes(packed)
    return numbers
