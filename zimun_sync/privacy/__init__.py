"""What a sink is not shown: policies for columns, and what they make of values."""

from zimun_sync.privacy.guard import OPEN, Guard, GuardedLookup
from zimun_sync.privacy.hashing import LEAST_BYTES, HashKey
from zimun_sync.privacy.policy import Policies, Policy, fits

__all__ = ["LEAST_BYTES", "OPEN", "Guard", "GuardedLookup", "HashKey", "Policies", "Policy", "fits"]
