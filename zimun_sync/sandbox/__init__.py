"""A stand-in for the Zimun API: a world of bookings, its HTTP API, and its faults.

It imports nothing of the pipeline that it helps to test.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zimun_sync.sandbox.faults.fault import Fault, read_fault
    from zimun_sync.sandbox.options import SandboxOptions
    from zimun_sync.sandbox.server import Sandbox, serve

__all__ = ["Fault", "Sandbox", "SandboxOptions", "read_fault", "serve"]

_MODULES = {
    "Fault": "faults.fault",
    "Sandbox": "server",
    "SandboxOptions": "options",
    "read_fault": "faults.fault",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    """Each is loaded when it is first asked for, so that the command line starts fast."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
