"""What the pages of a listing brought, as the sequences of its records: eight bytes each.

A record whose sequence no page brought was missed. What changes while the listing goes on gets
a new sequence, but also a new time, by which it is left out.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.schema import seen

#: The number under which stands what comes on two pages of this listing every time; it is kept
#: until a later run is told.
ALWAYS_TWICE: Final = -(2**31)

_KEEP: Final = sa.insert(seen)


class Brought(NamedTuple):
    """What a page brought.

    Args:
        seqs: sequences of its records.
        page_token: what it was asked for with; None for a listing's first page.
        new: how many of its records were not known before; None: nobody counted.
    """

    seqs: Iterable[int]
    page_token: str | None = None
    new: int | None = None


def keep_seen(connection: Connection, run_id: str, brought: Mapping[int, Brought]) -> None:
    """Take down what pages of a listing brought, by their numbers."""
    connection.execute(_KEEP, [_row(run_id, page, each) for page, each in brought.items()])


def _row(run_id: str, page: int, brought: Brought) -> dict[str, Any]:
    packed = array("Q", brought.seqs).tobytes()
    values = {"run_id": run_id, "page": page, "keys": packed}
    return values | {"page_token": brought.page_token, "new": brought.new}


def tokens_of(connection: Connection, run_id: str, pages: range) -> Sequence[str | None]:
    """What these pages were asked for with, the last one first; None: with no token."""
    query = sa.select(seen.c.page_token).where(of_pages(run_id, pages)).order_by(seen.c.page.desc())
    return connection.execute(query).scalars().all()


def first_new(connection: Connection, run_id: str, pages: range) -> int | None:
    """The first of these pages that brought records that were not known; None if none did."""
    query = sa.select(sa.func.min(seen.c.page)).where(of_pages(run_id, pages), seen.c.new > 0)
    first: int | None = connection.execute(query).scalar_one()
    return first


def of_pages(run_id: str, pages: range) -> sa.ColumnElement[bool]:
    """What these pages of a run brought."""
    return sa.and_(seen.c.run_id == run_id, seen.c.page.between(pages.start, pages.stop - 1))


def before_page(page: int) -> int:
    """The number under which stands what the records that a page changed had before."""
    return -1 - page


def forget_seen(connection: Connection, run_id: str) -> None:
    """Let go of what a run's pages brought."""
    pages = seen.c.page > ALWAYS_TWICE
    connection.execute(sa.delete(seen).where(seen.c.run_id == run_id, pages))


def has_bit(bits: bytearray, seq: int) -> bool:
    """Whether a sequence was marked."""
    return bool(bits[seq >> 3] & (1 << (seq & 7)))


def set_bits(bits: bytearray, packed: bytes) -> None:
    """Mark the sequences of one page."""
    seqs = array("Q")
    seqs.frombytes(packed)
    for seq in seqs:
        bits[seq >> 3] |= 1 << (seq & 7)
