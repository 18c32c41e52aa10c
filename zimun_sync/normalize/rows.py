"""Stored rows as bytes."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from zimun_sync.model import Row

#: Length of every hash of content, bytes.
DIGEST_BYTES: Final = 16

_EMPTY = blake2b(digest_size=DIGEST_BYTES)
_ROW = msgspec.msgpack.Decoder(tuple)
_ROWS = msgspec.msgpack.Decoder(list[tuple[Any, ...]])
#: How msgpack begins an array; its length follows in four bytes, big-endian.
_ARRAY: Final = b"\xdd"
#: Rows that are unpacked at once.
_AT_ONCE: Final = 500

#: A stored row packed as msgpack.
pack_row = msgspec.msgpack.Encoder().encode


def unpack_row(packed: bytes) -> Row:
    """The stored row of a packed one."""
    row: tuple[Any, ...] = _ROW.decode(packed)
    return row


def unpack_rows(packed: Sequence[bytes]) -> Iterator[Row]:
    """The stored rows of packed ones; many are unpacked faster together."""
    for start in range(0, len(packed), _AT_ONCE):
        some = packed[start : start + _AT_ONCE]
        yield from _ROWS.decode(b"".join((_ARRAY, len(some).to_bytes(4, "big"), *some)))


def hash_of(packed: bytes) -> bytes:
    """The hash of a packed row, or of other bytes."""
    hasher = _EMPTY.copy()  # cheaper than setting one up
    hasher.update(packed)
    return hasher.digest()
