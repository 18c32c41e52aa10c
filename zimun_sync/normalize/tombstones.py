"""A record that is gone: its last row, with the time of its deletion."""

from hashlib import blake2b

import msgspec

from zimun_sync.model import Stream
from zimun_sync.normalize.normalizer import Normalized, unpack_row

#: The content hash of what is no longer there: the same for every record.
GONE = bytes(16)

_encode_row = msgspec.msgpack.Encoder().encode


def tombstone(stream: Stream, key: str, row: bytes, at: int) -> Normalized:
    """What takes a deleted record's place.

    Args:
        stream: the record's stream.
        key: its key.
        row: its last row, packed.
        at: when its absence was asked for, microseconds UTC: the tombstone's version.
    """
    names = [column.name for column in stream.content]
    values = dict(zip(names, unpack_row(row), strict=True)) | {"deleted_at": at}
    packed = _encode_row(list(values.values()))
    digest = blake2b(packed, digest_size=len(GONE)).digest()
    return Normalized(key, at, GONE, packed, digest, b"")
