"""From a wire record (raw JSON of one item) to a canonical row."""

from zimun_sync.normalize.items import Items, Refused, normalize_items
from zimun_sync.normalize.normalizer import Normalized, Normalizer, Rules, unpack_row
from zimun_sync.normalize.places import Place, Places

__all__ = [
    "Items",
    "Normalized",
    "Normalizer",
    "Place",
    "Places",
    "Refused",
    "Rules",
    "normalize_items",
    "unpack_row",
]
