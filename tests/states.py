"""A new state, made faster than from nothing."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from zimun_sync.store import Store

#: Earlier than any clock that a test sets.
MADE_AT = datetime(2020, 1, 1, tzinfo=UTC)


def put_new_state(folder: Path) -> None:
    """Lay a state that knows nothing yet into the folder, as `sqlite:///state.db` makes one.

    All of one process have the same identity: a test of identities makes its own with `Store.open`.
    """
    (folder / "state.db").write_bytes(_new_state())


@cache
def _new_state() -> bytes:
    """Making one takes longer than most tests: it is made once, and copied."""
    with TemporaryDirectory() as folder:
        Store.open("sqlite:///state.db", Path(folder), clock=lambda: MADE_AT).close()
        return Path(folder, "state.db").read_bytes()
