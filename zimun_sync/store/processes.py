"""Whether another process of this machine still lives."""

import os
from pathlib import Path

#: The start time of a living process that /proc does not show.
UNKNOWN = -1


def started(pid: int) -> int:
    """Start time of a process, which tells reused ids, in ticks since boot; 0 once it ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return UNKNOWN if _alive(pid) else 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] == "Z" else int(fields[19])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
