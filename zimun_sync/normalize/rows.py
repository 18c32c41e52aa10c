"""Stored rows as bytes."""

from hashlib import blake2b
from typing import Any, Final

import msgspec

from zimun_sync.model import Row

#: Length of every hash of content, bytes.
DIGEST_BYTES: Final = 16

_EMPTY = blake2b(digest_size=DIGEST_BYTES)
_ROW = msgspec.msgpack.Decoder(tuple)

#: A stored row packed as msgpack.
pack_row = msgspec.msgpack.Encoder().encode


def unpack_row(packed: bytes) -> Row:
    """The stored row of a packed one."""
    row: tuple[Any, ...] = _ROW.decode(packed)
    return row


def hash_of(packed: bytes) -> bytes:
    """The hash of a packed row, or of other bytes."""
    hasher = _EMPTY.copy()  # cheaper than setting one up
    hasher.update(packed)
    return hasher.digest()
