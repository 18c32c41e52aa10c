"""Normalizing a page: each item on its own, so that one bad record stands alone."""

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from zimun_sync.errors import RecordInvalid
from zimun_sync.normalize.normalizer import Normalized, Normalizer
from zimun_sync.normalize.noticing import Noticed


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


def normalize_items(items: Iterable[bytes], normalizer: Normalizer) -> Items:
    """Normalize every item, or tell why it cannot be."""
    result = Items([], [], [])
    for raw in items:
        try:
            result.records.append(normalizer.normalize(raw))
        except RecordInvalid as error:
            key = normalizer.key_of(raw) or f"sha256:{sha256(raw).hexdigest()}"
            result.refused.append(Refused(key, error.code, error.message, raw))
    result.noticed.extend(normalizer.noticed())
    return result
