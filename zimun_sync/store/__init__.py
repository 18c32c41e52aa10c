"""The store: a compacted change feed with checkpoints, offsets and quarantine."""

from zimun_sync.store.days import Days
from zimun_sync.store.deliveries import Delivered, Parked, ParkKind, Place
from zimun_sync.store.feed import Lag
from zimun_sync.store.fields import KnownField
from zimun_sync.store.forgettings import Forgetting, Owed, Receipt
from zimun_sync.store.hook_calls import HookCall, Needs, NewCall
from zimun_sync.store.inbox import (
    WEBHOOK,
    Fetched,
    Received,
    RulesChanged,
    Thin,
    Understood,
    WaitingEvent,
)
from zimun_sync.store.known_pages import KnownListing, KnownPage, PageChanged, Printing, Prints
from zimun_sync.store.leases import LEASE_SECONDS, Holder, Lease
from zimun_sync.store.memory import SinkMemory
from zimun_sync.store.merge import Standing
from zimun_sync.store.merging import Origin
from zimun_sync.store.missing import Brake, Missed, MissingState
from zimun_sync.store.notices import Notice
from zimun_sync.store.overview import Backlog, GivenUp, QuarantineCount, Room
from zimun_sync.store.pages import PageOutcome, PageRecords
from zimun_sync.store.quarantine import SOURCE_SIDE, Entry
from zimun_sync.store.redeliveries import REDELIVERED
from zimun_sync.store.retention import Cleaned, Keep
from zimun_sync.store.run import FIRST_PAGE, Run, RunStatus
from zimun_sync.store.store import Store
from zimun_sync.store.troubles import Remembered, Turns
from zimun_sync.store.versions import Version

__all__ = [
    "FIRST_PAGE",
    "LEASE_SECONDS",
    "REDELIVERED",
    "SOURCE_SIDE",
    "WEBHOOK",
    "Backlog",
    "Brake",
    "Cleaned",
    "Days",
    "Delivered",
    "Entry",
    "Fetched",
    "Forgetting",
    "GivenUp",
    "Holder",
    "HookCall",
    "Keep",
    "KnownField",
    "KnownListing",
    "KnownPage",
    "Lag",
    "Lease",
    "Missed",
    "MissingState",
    "Needs",
    "NewCall",
    "Notice",
    "Origin",
    "Owed",
    "PageChanged",
    "PageOutcome",
    "PageRecords",
    "ParkKind",
    "Parked",
    "Place",
    "Printing",
    "Prints",
    "QuarantineCount",
    "Receipt",
    "Received",
    "Remembered",
    "Room",
    "RulesChanged",
    "Run",
    "RunStatus",
    "SinkMemory",
    "Standing",
    "Store",
    "Thin",
    "Turns",
    "Understood",
    "Version",
    "WaitingEvent",
]
