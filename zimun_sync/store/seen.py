"""What the pages of a listing brought, as the sequences of its records: eight bytes each.

A record whose sequence no page brought was missed. What changes while the listing goes on gets
a new sequence, but also a new time, by which it is left out.
"""

from array import array
from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from zimun_sync.store.schema import seen

#: The number under which stands what comes on two pages of this listing every time; it is kept
#: until a later run is told.
ALWAYS_TWICE: Final = -(2**31)


def keep_seen(connection: Connection, run_id: str, page: int, seqs: Iterable[int]) -> None:
    """Take down, with its page, what a listing brought."""
    packed = array("Q", seqs).tobytes()
    connection.execute(sa.insert(seen).values(run_id=run_id, page=page, keys=packed))


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
