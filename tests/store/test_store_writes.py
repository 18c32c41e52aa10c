"""How much storing a page writes: its rows and what they touch once, into the log."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from tests.store.conftest import Listing, State, Ticking, record
from zimun_sync.normalize import Normalized

#: The kernel's account of what the calling thread wrote to files, on Linux.
_ACCOUNT = Path("/proc/thread-self/io")
_PAGE = 500


@pytest.fixture
def state(tmp_path: Path, clock: Ticking) -> Iterator[State]:
    """On SQLite: what PostgreSQL writes, its server writes."""
    with ExitStack() as stack:
        yield State("sqlite:///state.db", tmp_path, clock, stack)


def written() -> int:
    """Bytes that this thread has written so far."""
    account = dict(line.split(": ") for line in _ACCOUNT.read_text().splitlines())
    return int(account["wchar"])


def page(keys: Random) -> list[Normalized]:
    """Records in no order of their keys: each touches another place of the key index."""
    return [record(f"{keys.getrandbits(64):016x}", notes="x" * 200) for _ in range(_PAGE)]


@pytest.mark.skipif(not _ACCOUNT.exists(), reason="only Linux tells what a thread writes")
@pytest.mark.parametrize("token", ["more", None], ids=["gathers", "settles"])
def test_a_page_of_new_records_goes_to_the_log_and_nowhere_else(
    state: State, listing: Listing, token: str | None
) -> None:
    keys, log = Random(1), state.folder / "state.db-wal"
    for _ in range(10):
        listing.page(*page(keys))
    listing.page(token=None)  # leaves in which others will be put
    brought = page(keys)
    before, logged = written(), log.stat().st_size
    listing.page(*brought, token=token)
    assert written() - before <= (log.stat().st_size - logged) * 1.01


def test_a_page_of_new_records_writes_little_more_than_them(state: State, listing: Listing) -> None:
    """Not as many leaves of the key index as it has records."""
    keys, log = Random(1), state.folder / "state.db-wal"
    for _ in range(16):  # the log has not been begun anew by then
        listing.page(*page(keys))
    brought = page(keys)
    content = sum(len(each.row) + len(each.raw) + len(each.key) for each in brought)
    before = log.stat().st_size
    listing.page(*brought)
    assert log.stat().st_size - before < 2 * content
