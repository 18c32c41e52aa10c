"""The Salesforce connector passes the contract of remote connectors, engine and all."""

from pathlib import Path

from tests.salesforce.harness import SalesforceHarness
from zimun_sync.testing.remotes import RemoteContract


class TestSalesforce(RemoteContract):
    """With three records a call, so that a batch takes several."""

    def harness(self, folder: Path, address: str = "") -> SalesforceHarness:
        return SalesforceHarness(address, records_per_call=3)
