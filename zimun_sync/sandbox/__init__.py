"""A stand-in for the Zimun API: a world of bookings, its HTTP API, and its faults.

It imports nothing of the pipeline that it helps to test.
"""

from zimun_sync.sandbox.faults.fault import Fault, read_fault
from zimun_sync.sandbox.options import SandboxOptions
from zimun_sync.sandbox.server import Sandbox, serve

__all__ = ["Fault", "Sandbox", "SandboxOptions", "read_fault", "serve"]
