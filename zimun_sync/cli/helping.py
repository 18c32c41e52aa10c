"""Typer's help, imported without what it has no use for here."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

#: Modules that Typer's help imports, and what it takes from each; a third of the time of `--help`.
#: Our texts are no Markdown, and exceptions are not drawn by Rich.
_UNUSED = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}


def prepare_help(arguments: Sequence[str]) -> None:
    """Import Typer's help quickly, if a command's arguments ask for it.

    Who imports the modules that were left out later gets the real ones.
    """
    if not arguments or {"-h", "--help"} & set(arguments):
        with _left_out():
            import typer.rich_utils  # noqa: F401


@contextmanager
def _left_out() -> Iterator[None]:
    stand_ins = {
        name: _stand_in(name, used) for name, used in _UNUSED.items() if name not in sys.modules
    }
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _stand_in(name: str, attribute: str) -> ModuleType:
    module = ModuleType(name)
    setattr(module, attribute, None)
    return module
