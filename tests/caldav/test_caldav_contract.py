"""The contract of remote systems, held against a real CalDAV server."""

from pathlib import Path

import pytest

from tests.caldav.desk import Harness
from tests.systems.radicale import Radicale
from zimun_sync.testing.remotes import RemoteContract


class TestCaldav(RemoteContract):
    server: Radicale | None = None

    @pytest.fixture(autouse=True)
    def _serve(self, server: Radicale) -> None:
        self.server = server

    def harness(self, folder: Path, address: str = "") -> Harness:
        return Harness(None, address) if address else Harness(self.server)
