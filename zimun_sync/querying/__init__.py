"""Reading the data that sinks publish, and copying what the state holds into files."""

from zimun_sync.querying.databases import connect, open_published, published

__all__ = ["connect", "open_published", "published"]
