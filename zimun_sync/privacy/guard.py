"""What stands between the store and a sink: rows go through it before the sink sees them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any, Final

import msgspec

from zimun_sync.ids import Lookup
from zimun_sync.model import STREAMS, Column, ColumnType, Row, Stream
from zimun_sync.privacy.documents import hide_values
from zimun_sync.privacy.hashing import HashKey
from zimun_sync.privacy.masking import mask_text, mask_value
from zimun_sync.privacy.policy import Policies, Policy
from zimun_sync.sinks import Batch, StoredChange

#: Another number when the same policies show something else than before.
_RULES: Final = 1

#: What makes what is shown of a value that is not null; None: nothing is shown.
Act = Callable[[str], str] | None


class Guard:
    """Applies one sink's policies.

    Args:
        policies: of the sink.
        key: for hashes; None where nothing is hashed.
        streams: every stream by name, with the columns that the configuration promotes.

    Raises:
        ValueError: something is to be hashed, and there is no key.
    """

    def __init__(
        self,
        policies: Policies,
        key: HashKey | None = None,
        streams: Mapping[str, Stream] = STREAMS,
    ) -> None:
        self._policies = policies
        self._key = key
        self._streams = streams
        self._masks: dict[Stream, _Mask | None] = {}
        hidden = {name: policies.of(stream) for name, stream in streams.items()}
        #: The policy of each column that is not shown as it is, by stream and column.
        self.hidden = {name: columns for name, columns in hidden.items() if columns}
        self._hashes = any(Policy.HASH in columns.values() for columns in self.hidden.values())
        if self._hashes and key is None:
            raise ValueError("to hash takes a key")

    @property
    def fingerprint(self) -> str:
        """Stands for what is hidden and how, the key included; empty where nothing is."""
        if not self.hidden:
            return ""
        columns = {name: sorted(columns.items()) for name, columns in sorted(self.hidden.items())}
        sample = self._key.hash_text("", "sample") if self._hashes and self._key else ""
        return blake2b(repr((_RULES, columns, sample)).encode(), digest_size=16).hexdigest()

    def covers(self, stream: Stream) -> bool:
        """Whether anything of the stream is hidden."""
        return self._mask(stream) is not None

    def batch(self, batch: Batch) -> Batch:
        """The batch as the sink gets it: the same one where nothing of its stream is hidden.

        Its hashes are of what is shown: equal where only what is hidden differs.
        """
        mask = self._mask(batch.stream)
        return batch if mask is None else replace(batch, stored=list(map(mask, batch.stored)))

    def content(self, stream: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """A row by column name, as `Change.row` has it, with what is hidden hidden."""
        if stream not in self.hidden:
            return row
        acts = self._acts(self._streams[stream])
        return {
            name: _shown(acts[name], value) if name in acts else value
            for name, value in row.items()
        }

    def _mask(self, stream: Stream) -> "_Mask | None":
        if stream not in self._masks:
            acts = self._acts(stream)
            names = [column.name for column in stream.filled]
            places = [(at, acts[name]) for at, name in enumerate(names) if name in acts]
            self._masks[stream] = _Mask(tuple(places)) if places else None
        return self._masks[stream]

    def _acts(self, stream: Stream) -> dict[str, Act]:
        policies = self._policies.of(stream)
        return {
            column.name: self._act(column, policies[column.name])
            for column in stream.filled
            if column.name in policies
        }

    def _act(self, column: Column, policy: Policy) -> Act:
        """What becomes of a column's values; what has no key is masked rather than shown."""
        if policy is Policy.DROP:
            return None
        key = self._key if policy is Policy.HASH else None
        act = partial(mask_text if key is None else key.hash_text, column.name)
        if column.type is not ColumnType.JSON:
            return act
        return partial(hide_values, act=mask_value if key is None else act)


#: Hides nothing.
OPEN: Final = Guard(Policies())


@dataclass(frozen=True, slots=True)
class _Mask:
    """Hides columns of one stream's rows. `places`: of those columns in a row."""

    places: tuple[tuple[int, Act], ...]

    def __call__(self, change: StoredChange) -> StoredChange:
        if change.row is None:
            return change
        row = self._row(change.row)
        digest = blake2b(msgspec.msgpack.encode(row), digest_size=16).hexdigest()
        return change._replace(row=row, hash=digest)

    def _row(self, row: Row) -> Row:
        values = list(row)
        for at, act in self.places:
            values[at] = _shown(act, values[at])
        return tuple(values)


def _shown(act: Act, value: Any) -> Any:
    return None if act is None or value is None else act(value)


class GuardedLookup:
    """A `Lookup` whose rows are shown as the sink may see them.

    Args:
        lookup: what the store holds.
        guard: the sink's.
    """

    def __init__(self, lookup: Lookup, guard: Guard) -> None:
        self._lookup = lookup
        self._guard = guard

    def rows(
        self, source: str, stream: str, keys: Collection[str], /
    ) -> dict[str, Mapping[str, Any]]:
        """Content of records by key, as the store's own `Lookup` gives it."""
        found = self._lookup.rows(source, stream, keys)
        return {key: self._guard.content(stream, row) for key, row in found.items()}
