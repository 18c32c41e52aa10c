"""What sinks may ask of the store beside the changes that they are given."""

from collections.abc import Collection, Mapping
from typing import Any

from zimun_sync.model import STREAMS
from zimun_sync.sinks import Batch
from zimun_sync.store.feed import Feed


class StoreLookup:
    """The store's `Lookup`.

    Args:
        feed: what the source's streams hold.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def rows(
        self, source: str, stream: str, keys: Collection[str], /
    ) -> dict[str, Mapping[str, Any]]:
        """Content of records by key, as `Change.row`; of deleted ones the last content.

        Those that never were are left out.
        """
        found = self._feed.last_known(source, stream, keys) if keys else []
        changes = Batch(source, STREAMS[stream], found).changes
        return {change.key: change.row for change in changes if change.row is not None}
