"""How often the suite repeats what finds more the longer it runs: `ZIMUN_THOROUGH=1` for long."""

import os

THOROUGH = os.environ.get("ZIMUN_THOROUGH", "") not in {"", "0"}


def times(quick: int, thorough: int) -> int:
    """How often here: enough to notice what broke, or as long as the thorough suite may take."""
    return thorough if THOROUGH else quick
