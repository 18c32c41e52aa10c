"""Syncs bookings into a fake portal until it is killed: `python -m tests.hubspot.doomed …`."""

import sys
from pathlib import Path

from tests.hubspot.harness import HubspotHarness
from zimun_sync.testing.remotes.rig import RemoteRig

BOOKINGS = 250


def book(rig: RemoteRig) -> None:
    """The same bookings in every process."""
    rig.start()
    for number in range(BOOKINGS):
        rig.book(number)


if __name__ == "__main__":
    folder, address = sys.argv[1:]
    with RemoteRig(Path(folder), HubspotHarness(address)) as doomed:
        book(doomed)
        doomed.sync()
