"""Seeds that once found a bug of the real code, and which one."""

from collections.abc import Mapping
from typing import Final

CASES: Final[Mapping[int, str]] = {
    1437: "with our clock ahead, a listing that contradicted what stood counted as late",
    1703: "the same",
}
