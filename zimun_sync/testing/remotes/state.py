"""A state for each check, made faster than from nothing."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from zimun_sync.store import Store
from zimun_sync.testing.remotes.bookings import SOURCE

_URL: Final = "sqlite:///state.db"


def open_state(folder: Path) -> Store:
    """The state in a folder; a new one knows the source and nothing else."""
    path = folder / "state.db"
    if not path.exists():
        path.write_bytes(_new_state())
    return Store.open(_URL, folder)


@cache
def _new_state() -> bytes:
    """Making one takes longer than most checks: it is made once, and copied."""
    with TemporaryDirectory() as folder:
        with Store.open(_URL, Path(folder)) as store:
            store.add_source(SOURCE)
        return Path(folder, "state.db").read_bytes()
