"""A stand-in for the Zimun API: a world of bookings, its HTTP API, and its faults.

It imports nothing of the pipeline that it helps to test.
"""

from typing import TYPE_CHECKING, Any

from zimun_sync.sandbox.faults.fault import Fault, read_fault
from zimun_sync.sandbox.options import SandboxOptions

if TYPE_CHECKING:
    from zimun_sync.sandbox.server import Sandbox, serve

__all__ = ["Fault", "Sandbox", "SandboxOptions", "read_fault", "serve"]


def __getattr__(name: str) -> Any:
    """The web server is loaded when it is first asked for, so that the command line starts fast."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from zimun_sync.sandbox import server

    return getattr(server, name)
