"""A complete little CRM and its connector: how a remote is written, and what tests run against.

`crm.py` is the system as programs see it, `desk.py` as people do; `remote.py` and `connector.py`
are what a connector consists of. `docs/connectors/write-a-remote-connector.md` walks through.
"""

from zimun_sync.testing.remotes.pocket.crm import PocketCrm
from zimun_sync.testing.remotes.pocket.desk import PocketDesk
from zimun_sync.testing.remotes.pocket.faults import Fault
from zimun_sync.testing.remotes.pocket.remote import (
    CancellingPocketRemote,
    PocketRemote,
    pocket_remote,
)
from zimun_sync.testing.remotes.pocket.words import (
    PocketDown,
    PocketObject,
    PocketRefusal,
    PocketRules,
    PocketUnreachable,
)

__all__ = [
    "CancellingPocketRemote",
    "Fault",
    "PocketCrm",
    "PocketDesk",
    "PocketDown",
    "PocketObject",
    "PocketRefusal",
    "PocketRemote",
    "PocketRules",
    "PocketUnreachable",
    "pocket_remote",
]
