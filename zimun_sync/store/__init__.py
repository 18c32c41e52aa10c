"""The store: a compacted change feed with checkpoints, offsets and quarantine."""

from zimun_sync.store.deliveries import Delivered, Parked, ParkKind, Place
from zimun_sync.store.feed import Lag
from zimun_sync.store.inbox import Received
from zimun_sync.store.leases import LEASE_SECONDS, Lease
from zimun_sync.store.pages import PageOutcome, PageRecords
from zimun_sync.store.quarantine import SOURCE_SIDE, Entry
from zimun_sync.store.runs import Run, RunStatus
from zimun_sync.store.store import Store

__all__ = [
    "LEASE_SECONDS",
    "SOURCE_SIDE",
    "Delivered",
    "Entry",
    "Lag",
    "Lease",
    "PageOutcome",
    "PageRecords",
    "ParkKind",
    "Parked",
    "Place",
    "Received",
    "Run",
    "RunStatus",
    "Store",
]
