"""Pages known by their bytes: where nothing they held has changed since, nothing is to be done.

A page is known if the same page of the latest full listing had exactly these items, and each of
their records still stands as that page left it: none has a later sequence. Then merging could
only find what is there. What is kept here is a hint that the store confirms in the transaction
which counts the page; without it, or with a wrong one, the page is merged as any other.
"""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.database import Database
from zimun_sync.store.listings import Listings
from zimun_sync.store.schema import known_pages, records

_FIND = sa.select(known_pages.c.seqs).where(
    known_pages.c.listing == sa.bindparam("listing"),
    known_pages.c.page == sa.bindparam("page"),
    known_pages.c.digest == sa.bindparam("digest"),
)


class KnownPage(NamedTuple):
    """A page that a listing brought before, byte by byte.

    Args:
        digest: of its items as they came.
        seqs: the sequences that its records had then, one for each.
    """

    digest: bytes
    seqs: Sequence[int]


class KnownPages:
    """Remembers pages, and finds them again.

    Args:
        database: the store's connections.
        listings: numbers of listings.
    """

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings
        self._keep = database.upsert(known_pages)
        self._keep = self._keep.on_conflict_do_update(
            index_elements=["listing", "page"],
            set_={name: self._keep.excluded[name] for name in ("digest", "seqs")},
        )
        self._standing = sa.select(sa.func.count()).where(
            records.c.listing == sa.bindparam("listing"),
            database.among(records.c.seq, sa.bindparam("seqs")),
        )

    def find(self, source: str, stream: str, page: int, digest: bytes) -> KnownPage | None:
        """The page with that number, if the latest full listing had it with the same items."""
        with self._database.read() as connection:
            at = {"listing": self._listings.number(connection, source, stream), "page": page}
            packed = connection.execute(_FIND, at | {"digest": digest}).scalar_one_or_none()
        return None if packed is None else KnownPage(digest, _unpacked(packed))

    def still_stands(self, connection: Connection, listing: int, page: KnownPage) -> bool:
        """Whether none of the page's records has changed since."""
        seqs = self._database.numbers(page.seqs)
        standing = connection.execute(self._standing, {"listing": listing, "seqs": seqs})
        return bool(standing.scalar_one() == len(page.seqs))

    def keep(self, connection: Connection, listing: int, number: int, page: KnownPage) -> None:
        """Remember what a page held; what was known of that number is forgotten."""
        seqs = array("Q", page.seqs).tobytes()
        row = {"listing": listing, "page": number, "digest": page.digest, "seqs": seqs}
        connection.execute(self._keep, row)

    def forget_beyond(self, connection: Connection, listing: int, pages: int) -> None:
        """Forget the pages behind the last one of a listing that has become shorter."""
        connection.execute(
            sa.delete(known_pages).where(
                known_pages.c.listing == listing, known_pages.c.page >= pages
            )
        )


def _unpacked(packed: bytes) -> "array[int]":
    seqs = array("Q")
    seqs.frombytes(packed)
    return seqs
