"""What a child process inherits: never the secrets that the environment may hold."""

import os
from collections.abc import Mapping
from typing import Final

_NAMES: Final = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV"})
#: An interpreter's own settings, the loader's, the locale's, and coverage's of a test run.
_PREFIXES: Final = ("PYTHON", "LD_", "DYLD_", "LC_", "COV_", "COVERAGE_")


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that a child of ours needs; secrets may stand in any other.

    Args:
        environ: the environment of this process.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _NAMES or name.startswith(_PREFIXES)
    }
