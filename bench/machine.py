"""What the measurements were made on and with."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

_OURS: Final = ("zimun-sync", "httpx", "msgspec", "duckdb", "pyarrow", "SQLAlchemy")
_PEERS: Final = ("dlt", "httpx", "orjson", "duckdb", "pyarrow")
_TELL: Final = (
    "import json, sys; from importlib.metadata import version; "
    "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
)


def machine(peers: Path) -> dict[str, Any]:
    """Processor, memory, system, and the versions of everything that takes part.

    Args:
        peers: the Python of the peers' environment; without it there are no versions of them.
    """
    ours = {"Python": platform.python_version()} | {name: version(name) for name in _OURS}
    return {
        "cores": os.cpu_count(),
        "processor": _entry("/proc/cpuinfo", "model name") or platform.processor(),
        "memory": _entry("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "versions": ours,
        "peers": _versions(peers) if peers.exists() else {},
    }


def _versions(python: Path) -> dict[str, str]:
    told = subprocess.run(
        [str(python), "-c", _TELL, *_PEERS], check=True, capture_output=True, text=True
    )
    return dict(json.loads(told.stdout))


def _entry(file: str, name: str) -> str:
    """The first value of that name in one of the kernel's files; nothing elsewhere than Linux."""
    if not Path(file).exists():
        return ""
    lines = (line.partition(":") for line in Path(file).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")
