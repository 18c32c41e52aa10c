"""From a wire record (raw JSON of one item) to a canonical row."""

from zimun_sync.normalize.normalizer import Normalized, Normalizer, Rules, unpack_row
from zimun_sync.normalize.places import Place, Places

__all__ = ["Normalized", "Normalizer", "Place", "Places", "Rules", "unpack_row"]
