"""Changes as the store holds them. Many of them keep their rows packed until they are read."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from typing import Any, Final, NamedTuple, Self, TypeVar, overload

import msgspec

from zimun_sync.model import Row

#: Rows that are unpacked at once: together that is twice as fast, and no more of them need be
#: in memory, where they take ten times as much as packed.
_AT_ONCE: Final = 500

_Made = TypeVar("_Made", bound=tuple[Any, ...])
_ROWS = msgspec.msgpack.Decoder(list[tuple[Any, ...]])
#: How msgpack begins an array; its length follows in four bytes, big-endian.
_ARRAY: Final = b"\xdd"


class StoredChange(NamedTuple):
    """A change as the store holds it; `Batch` turns it into a `Change` when asked.

    Args:
        seq: sequence in the source's change feed.
        key: the record's key within source and stream.
        row: values (see `ColumnType`), or None when the record is deleted. In a batch there is
            one for each of `stream.filled`; what the store gives out ends as `promoting` tells.
        hash: hash of the row's content, 32 hex digits, lineage excluded; empty when deleted.
        run_id: the run that brought the change.
        observed_at: when the store took it, microseconds since the epoch, UTC.
    """

    seq: int
    key: str
    row: Row | None
    hash: str
    run_id: str
    observed_at: int


class Head(NamedTuple):
    """What a change is without its row; the fields are those of `StoredChange`."""

    seq: int
    key: str
    hash: str
    deleted: bool
    run_id: str


class _Columns(NamedTuple):
    """Changes by field. `packed`: msgpack, None when deleted; `since`: see `PackedChanges`."""

    seq: Sequence[int]
    key: Sequence[str]
    packed: Sequence[bytes | None]
    hash: Sequence[bytes]
    run_id: Sequence[str]
    observed_at: Sequence[int]
    since: Sequence[int]


class PackedChanges(Sequence[StoredChange]):
    """Changes in sequence order whose rows are unpacked each time that they are read.

    Args:
        columns: by field: sequence, key, packed row or None, hash as bytes, run, times.
            `since` stands in for `observed_at` where the source gives no time of its own.
        updated_at: where a row holds the source's own time.
    """

    def __init__(self, columns: Sequence[Sequence[Any]], updated_at: int) -> None:
        self._columns = _Columns(*columns)
        self._updated_at = updated_at

    def heads(self) -> list[Head]:
        """What the changes are without their rows, which stay packed."""
        seqs, keys, packed, hashes, run_ids, *_ = self._columns
        gone = [each is None for each in packed]
        return list(_made(Head, seqs, keys, _shown(hashes, gone), gone, run_ids))

    def chosen(self, which: Iterable[bool]) -> Self:
        """Those of the changes that are marked, one mark a change."""
        marks = list(which)
        return self._of([list(compress(column, marks)) for column in self._columns])

    def all_have(self, values: int) -> bool:
        """Whether every row has so many values."""
        beginning = msgspec.msgpack.encode([None] * values)[:-values]
        return all(each is None or each.startswith(beginning) for each in self._columns.packed)

    def __len__(self) -> int:
        return len(self._columns.seq)

    def __iter__(self) -> Iterator[StoredChange]:
        for start in range(0, len(self), _AT_ONCE):
            yield from self._read([column[start : start + _AT_ONCE] for column in self._columns])

    @overload
    def __getitem__(self, at: int) -> StoredChange: ...
    @overload
    def __getitem__(self, at: slice) -> "PackedChanges": ...
    def __getitem__(self, at: int | slice) -> "StoredChange | PackedChanges":
        if isinstance(at, slice):
            return self._of([column[at] for column in self._columns])
        [found] = self._read([(column[at],) for column in self._columns])
        return found

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # as that of a list

    def _of(self, columns: Sequence[Sequence[Any]]) -> Self:
        return type(self)(columns, self._updated_at)

    def _read(self, columns: Sequence[Sequence[Any]]) -> Iterator[StoredChange]:
        seqs, keys, packed, hashes, run_ids, observed, since = columns
        gone = [each is None for each in packed]
        unpacked = iter(_unpacked([each for each in packed if each is not None]))
        rows = [None if each else next(unpacked) for each in gone] if any(gone) else list(unpacked)
        # Without a time of the source's own, the first one known must not move with new rules.
        known_at = [
            first if row is not None and row[self._updated_at] is None else seen
            for row, seen, first in zip(rows, observed, since, strict=True)
        ]
        shown = _shown(hashes, gone)
        return _made(StoredChange, seqs, keys, rows, shown, run_ids, known_at)


def _made(kind: type[_Made], *columns: Iterable[Any]) -> Iterator[_Made]:
    """Named tuples of that kind; spares the call of a constructor in Python for each."""
    return map(tuple.__new__, repeat(kind), zip(*columns, strict=True))


def heads(changes: Sequence[StoredChange]) -> list[Head]:
    """What changes are without their rows, which are not read for it."""
    if isinstance(changes, PackedChanges):
        return changes.heads()
    return [Head(c.seq, c.key, c.hash, c.row is None, c.run_id) for c in changes]


def chosen(changes: Sequence[StoredChange], which: Iterable[bool]) -> Sequence[StoredChange]:
    """Those of the changes that are marked, one mark a change."""
    if isinstance(changes, PackedChanges):
        return changes.chosen(which)
    return list(compress(changes, which))


def all_have(changes: Sequence[StoredChange], values: int) -> bool:
    """Whether every row has so many values."""
    if isinstance(changes, PackedChanges):
        return changes.all_have(values)
    return all(each.row is None or len(each.row) == values for each in changes)


def _shown(hashes: Sequence[bytes], gone: Sequence[bool]) -> Iterable[str]:
    if not any(gone):
        return map(bytes.hex, hashes)
    return ["" if each else digest.hex() for digest, each in zip(hashes, gone, strict=True)]


def _unpacked(rows: Sequence[bytes]) -> list[Row]:
    packed = b"".join((_ARRAY, len(rows).to_bytes(4, "big"), *rows))
    unpacked: list[Row] = _ROWS.decode(packed)
    return unpacked
