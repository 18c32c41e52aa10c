"""The kit for connectors to remote systems: one contract, and a little CRM as an example.

Subclass `RemoteContract` in a test file, give it a `harness`, and run pytest. See
`docs/connectors/write-a-remote-connector.md`.
"""

import pytest

for _module in (
    "absences",
    "base",
    "contract",
    "crashes",
    "failures",
    "people",
    "persons",
    "policies",
    "rig",
    "writes",
):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from zimun_sync.testing.remotes.contract import (  # noqa: E402 - asserts are rewritten on import
    RemoteContract,
)
from zimun_sync.testing.remotes.harness import (  # noqa: E402 - as above
    Lack,
    Lacking,
    RemoteHarness,
    RemoteSystem,
    SeenAppointment,
    SeenContact,
    Trouble,
)

__all__ = [
    "Lack",
    "Lacking",
    "RemoteContract",
    "RemoteHarness",
    "RemoteSystem",
    "SeenAppointment",
    "SeenContact",
    "Trouble",
]
