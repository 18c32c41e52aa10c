"""The connector kit: contract tests for any sink, and builders of batches to write tests with.

Subclass `SinkContract` in a test file, give it a `harness`, and run pytest:

    class TestMySink(SinkContract):
        def harness(self, folder: Path) -> SinkHarness:
            return MyHarness(folder)

The last test of the contract fails when a check did not run or compared nothing. The
kit needs `pytest` and `hypothesis`; no other module of the package imports them.
See `docs/connectors/write-a-connector.md`; connectors to remote systems pass `RemoteContract`
instead, see `docs/connectors/write-a-remote-connector.md`.
"""

from typing import TYPE_CHECKING, Any

import pytest

for _module in (
    "abilities",
    "base",
    "contract",
    "crashes",
    "forgetting",
    "promotions",
    "rig",
    "sequences",
    "verifying",
    "writes",
):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from zimun_sync.testing.builders import (  # noqa: E402 - asserts are rewritten on import
    appointment_row,
    delete,
    make_batch,
    make_row,
    sink_context,
    upsert,
)
from zimun_sync.testing.contract import SinkContract  # noqa: E402 - as above
from zimun_sync.testing.harness import (  # noqa: E402 - as above
    Residues,
    SinkHarness,
    Unusable,
    files_with,
)

if TYPE_CHECKING:
    from zimun_sync.testing.remotes import RemoteContract, RemoteHarness

__all__ = [
    "RemoteContract",
    "RemoteHarness",
    "Residues",
    "SinkContract",
    "SinkHarness",
    "Unusable",
    "appointment_row",
    "delete",
    "files_with",
    "make_batch",
    "make_row",
    "sink_context",
    "upsert",
]


def __getattr__(name: str) -> Any:
    """The kit for remote systems brings the whole engine: it is loaded when it is asked for."""
    if name in {"RemoteContract", "RemoteHarness"}:
        from zimun_sync.testing import remotes

        return getattr(remotes, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
