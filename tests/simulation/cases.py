"""Seeds that once found a bug of the real code, and which one."""

from collections.abc import Mapping
from typing import Final

CASES: Final[Mapping[int, str]] = {
    1437: "with our clock ahead, a listing that contradicted what stood counted as late",
    1703: "the same",
    2586: "a process that had lost its lease read the way back of a run that had ended",
    2999: "an event of a record that was back lost against the tombstone, and nobody was asked",
    4001: "a version that sinks were told of had another id later, and was never taken back",
    7198: "an event changed a row that was to be normalized anew, and sinks were not told",
    7229: "an approved listing left a record in quarantine that it had not brought",
}
