"""Normalizing a page: each item on its own, so that one bad record stands alone."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import chain, repeat
from typing import Final, NamedTuple

from zimun_sync.normalize.normalizer import Canonical, Normalized, Normalizer
from zimun_sync.normalize.noticing import Noticed

#: Items that are taken apart at once: much faster than one by one, and bounded in memory.
_AT_ONCE: Final = 1_000


class Refused(NamedTuple):
    """A record that goes to quarantine. `raw`: its bytes, where it could not be normalized."""

    key: str
    code: str
    message: str
    raw: bytes | None


class Items(NamedTuple):
    """A page's items, normalized or refused, and the unknown fields that came up in them."""

    records: list[Normalized]
    refused: list[Refused]
    noticed: list[Noticed]


class Outcome(NamedTuple):
    """What became of a page's items, without their bytes: those who ask have them.

    Args:
        records: those that were normalized.
        refused: number of the item, its key, code and message.
        noticed: unknown fields.
    """

    records: Canonical
    refused: list[tuple[int, str, str, str]]
    noticed: list[Noticed]

    def of(self, items: Sequence[bytes]) -> Items:
        """The same with the bytes of the items that it came of."""
        left_out = {number for number, *_ in self.refused}
        raws = items
        if left_out:
            raws = [raw for number, raw in enumerate(items) if number not in left_out]
        # Spares the call of a constructor in Python for every record of a first sync.
        made = map(tuple.__new__, repeat(Normalized), zip(*self.records, raws, strict=True))
        refused = [
            Refused(key, code, message, items[number])
            for number, key, code, message in self.refused
        ]
        return Items(list(made), refused, self.noticed)


def normalize_items(items: Sequence[bytes], normalizer: Normalizer) -> Items:
    """Scrub and normalize every item, or tell why it cannot be."""
    clean = normalizer.scrubber.items(items)
    return outcome_of(clean, normalizer).of(clean)


def outcome_of(items: Sequence[bytes], normalizer: Normalizer) -> Outcome:
    """The same without the items' bytes, for items that have been scrubbed."""
    parts: list[Canonical] = []
    refused: list[tuple[int, str, str, str]] = []
    for start in range(0, len(items), _AT_ONCE):
        records, errors = normalizer.normalize_all(items[start : start + _AT_ONCE])
        parts.append(records)
        for number, error in sorted(errors.items()):
            raw = items[start + number]
            key = normalizer.key_of(raw) or f"sha256:{sha256(raw).hexdigest()}"
            refused.append((start + number, key, error.code, error.message))
    return Outcome(_together(parts), refused, normalizer.noticed())


def _together(parts: Sequence[Canonical]) -> Canonical:
    if len(parts) == 1:
        return parts[0]
    every = chain.from_iterable
    return Canonical(
        [*every(part.keys for part in parts)],
        [*every(part.updated_at for part in parts)],
        [*every(part.hashes for part in parts)],
        [*every(part.rows for part in parts)],
        [*every(part.row_hashes for part in parts)],
    )
