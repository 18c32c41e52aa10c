"""Seeds that once found a bug of the real code, and which one."""

from collections.abc import Mapping
from typing import Final

CASES: Final[Mapping[int, str]] = {}
