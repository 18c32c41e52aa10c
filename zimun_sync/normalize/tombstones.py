"""A record that is gone: its last row, with the time of its deletion."""

from zimun_sync.model import Stream
from zimun_sync.normalize.normalizer import Normalized
from zimun_sync.normalize.rows import hash_of, pack_row, unpack_row

#: The content hash of what is no longer there: the same for every record.
GONE = bytes(16)


def tombstone(stream: Stream, key: str, row: bytes, at: int) -> Normalized:
    """What takes a deleted record's place.

    Args:
        stream: the record's stream.
        key: its key.
        row: its last row, packed.
        at: when its absence was asked for, microseconds UTC: the tombstone's version.
    """
    names = [column.name for column in stream.content]
    values = list(unpack_row(row))
    values[names.index("deleted_at")] = at
    packed = pack_row(values)
    return Normalized(key, at, GONE, packed, hash_of(packed), b"")
