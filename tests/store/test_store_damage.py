"""A state that cannot be read is refused with a remedy, and never changed."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.store.conftest import Ticking, content, record, start
from zimun_sync.errors import StateTooNew, StateUnreadable, StoreError
from zimun_sync.store import Store
from zimun_sync.store.opening import HEAD

URL = "sqlite:///state.db"


def refused(error: type[StoreError], folder: Path) -> StoreError:
    """What opening says; it must leave everything as it was."""
    before = content(folder)
    with pytest.raises(error) as raised:
        Store.open(URL, folder)
    assert content(folder) == before
    assert raised.value.hint
    assert type(raised.value) is error
    return raised.value


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribble(path: Path, start: int, end: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    end = len(data) if end is None else end
    data[start:end] = b"\xa5" * (end - start)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not a database, but some text of some length " * 99),
        lambda path: path.write_bytes(path.read_bytes()[:50]),
        cut,
        lambda path: scribble(path, 0, 100),
        lambda path: scribble(path, 100, 4096),
        lambda path: scribble(path, 4096),
    ],
    ids=["empty", "text", "stub", "cut", "header", "first page", "other pages"],
)
def test_a_damaged_state_is_refused_and_left_alone(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    error = refused(StateUnreadable, path.parent)
    assert str(path) in error.message
    assert "backup" in error.hint


def test_damage_that_is_met_later_changes_nothing_either(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        [[root]] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'records'")
        [[size]] = connection.execute("PRAGMA page_size")
    connection.close()
    scribble(path, (root - 1) * size, root * size)
    clock = Ticking()
    clock.forward(3600)
    with Store.open(URL, path.parent, clock) as store:
        lease = store.leases.acquire("source:main")
        listing = start(store, lease)
        with pytest.raises(StateUnreadable, match="damaged") as raised:
            listing.page(record("new"), token=None)
        assert "backup" in raised.value.hint
        assert store.runs.get(listing.run.run_id).pages == 0


def test_a_folder_is_no_state(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    assert "folder" in refused(StateUnreadable, tmp_path).message


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("made", ["CREATE TABLE guests (name)", "PRAGMA user_version = 1"])
def test_somebody_elses_database_is_refused_and_left_alone(
    tmp_path: Path, mode: str, made: str
) -> None:
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute(made)
    connection.close()
    assert "not a zimun-sync state" in refused(StateUnreadable, tmp_path).message


def test_a_state_that_lost_its_version_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM alembic_version")
    connection.close()
    refused(StateUnreadable, path.parent)


def test_a_state_of_a_newer_release_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    error = refused(StateTooNew, path.parent)
    assert "9999" in error.message
    assert HEAD in error.message
