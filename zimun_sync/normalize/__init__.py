"""From a wire record (raw JSON of one item) to a canonical row."""

from zimun_sync.normalize.items import Items, Refused, normalize_items
from zimun_sync.normalize.normalizer import Normalized, Normalizer
from zimun_sync.normalize.noticing import Noticed
from zimun_sync.normalize.places import Place, Places
from zimun_sync.normalize.promotions import Promotion, Promotions
from zimun_sync.normalize.rows import hash_of, pack_row, unpack_row
from zimun_sync.normalize.rules import Rules
from zimun_sync.normalize.scrubbing import Scrubber
from zimun_sync.normalize.suppressions import Kind, Suppressions, digests_of, record_name

__all__ = [
    "Items",
    "Kind",
    "Normalized",
    "Normalizer",
    "Noticed",
    "Place",
    "Places",
    "Promotion",
    "Promotions",
    "Refused",
    "Rules",
    "Scrubber",
    "Suppressions",
    "digests_of",
    "hash_of",
    "normalize_items",
    "pack_row",
    "record_name",
    "unpack_row",
]
