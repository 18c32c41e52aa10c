"""The HubSpot connector passes the contract of remote connectors, engine and all."""

from pathlib import Path

from tests.hubspot.harness import HubspotHarness
from zimun_sync.testing.remotes.contract import RemoteContract
from zimun_sync.testing.remotes.writes import WriteChecks


class TestMeetings(RemoteContract):
    """Bookings as meetings."""

    def harness(self, folder: Path, address: str = "") -> HubspotHarness:
        return HubspotHarness(address, preserves_ids=True)


class TestAppointments(WriteChecks):
    """Bookings as records of the appointments object, which is otherwise treated alike."""

    def harness(self, folder: Path, address: str = "") -> HubspotHarness:
        return HubspotHarness(address, "appointments", preserves_ids=True)
