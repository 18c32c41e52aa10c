"""Importing a library without the optional parts that it would load for nothing."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from threading import get_ident


class _Absent(MetaPathFinder):
    """Finds, for the thread that made it, that a library is not installed.

    Args:
        name: the library.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread = get_ident()

    def find_spec(self, fullname: str, *_: object) -> None:
        """Refuse the library, leave everything else to the other finders."""
        if fullname == self._name and get_ident() == self._thread:
            raise ModuleNotFoundError(fullname, name=fullname)


@contextmanager
def omitting(name: str) -> Iterator[None]:
    """Let this thread's imports find no such library, unless the process uses it already."""
    finder = _Absent(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
