import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.store.conftest import SOURCE, Feed, Ticking, content, record, start
from zimun_sync.errors import ConfigError, StoreError
from zimun_sync.store import Store

URL = "sqlite:///state.db"
_NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user reaches, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """Nothing may be written in the folder meanwhile; root becomes somebody who may not."""
    root = os.geteuid() == 0
    folder.chmod(0o555)
    if root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def opened(folder: Path, url: str = URL) -> str:
    with Store.open(url, folder) as store:
        return store.store_id


def test_a_state_is_made_with_its_folders_and_nothing_else(tmp_path: Path) -> None:
    identity = opened(tmp_path, "sqlite:///var/lib/state.db")
    assert list(content(tmp_path)) == ["var/lib/state.db"]
    assert opened(tmp_path, "sqlite:///var/lib/state.db") == identity
    assert opened(tmp_path, "sqlite:///another.db") != identity


def test_an_absolute_path_and_one_with_odd_characters(tmp_path: Path) -> None:
    odd = tmp_path / "a [b] 100%?"
    odd.mkdir()
    identity = opened(odd)
    assert list(content(tmp_path)) == ["a [b] 100%?/state.db"]
    assert opened(Path("/"), f"sqlite:///{tmp_path}/link.db") != identity
    assert (tmp_path / "link.db").is_file()


def test_only_the_owner_may_read_the_state(tmp_path: Path) -> None:
    with Store.open(URL, tmp_path) as store:
        store.add_source(SOURCE)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == dict.fromkeys(["state.db", "state.db-wal", "state.db-shm"], 0o600)


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    with Store.open(URL, tmp_path) as store:
        store.add_source(SOURCE)
        with store._database.write(durable=False):
            assert store.feed.heads() == {SOURCE: 0}


def test_a_link_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "state.db").symlink_to(tmp_path / "disk" / "real.db")
    identity = opened(tmp_path)
    assert list(content(tmp_path / "disk")) == ["real.db"]
    assert opened(tmp_path / "disk", "sqlite:///real.db") == identity
    assert stat.S_IMODE((tmp_path / "disk" / "real.db").stat().st_mode) == 0o600


def test_a_state_restored_from_a_backup_is_the_same_state(path: Path) -> None:
    """`VACUUM INTO` writes a file without a write-ahead log."""
    with sqlite3.connect(path) as connection:
        connection.execute("VACUUM INTO ?", [str(path.with_name("backup.db"))])
    connection.close()
    identity = opened(path.parent)
    path.with_name("backup.db").replace(path)
    with Store.open(URL, path.parent) as store:
        assert store.store_id == identity
        assert len(Feed(store).changes()) == 300
        assert path.with_name("state.db-wal").exists()


def test_many_that_start_at_once_share_one_state(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from zimun_sync.store import Store; "
        "sys.stdin.readline(); "
        "print(Store.open('sqlite:///state.db', Path(sys.argv[1])).store_id)"
    )
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for process in starting:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    identities = {process.communicate()[0] for process in starting}
    assert [process.returncode for process in starting] == [0] * len(starting)
    assert identities == {f"{opened(tmp_path)}\n".encode()}
    assert list(content(tmp_path)) == ["state.db"]


def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as raised:
        Store.open("sqlite:///file/state.db", tmp_path)
    assert raised.value.hint


@pytest.mark.parametrize("url", ["sqlite:///state.db", "sqlite:///var/state.db"])
def test_a_folder_that_cannot_be_written(folder: Path, url: str) -> None:
    with without_rights(folder), pytest.raises(StoreError, match="cannot be") as raised:
        Store.open(url, folder)
    assert "right to write" in raised.value.hint
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_state_that_cannot_be_written(path: Path, folder: Path, mode: int) -> None:
    (folder / "state.db").write_bytes(path.read_bytes())
    (folder / "state.db").chmod(mode)
    with without_rights(folder), pytest.raises(StoreError) as raised:
        Store.open(URL, folder)
    assert "right to write" in raised.value.hint
    assert type(raised.value) is StoreError


def test_a_state_that_another_program_writes(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"locked by another program for 0.05 s") as raised:
        Store.open(URL, path.parent, busy_seconds=0.05)
    assert raised.value.hint
    other.execute("ROLLBACK")
    other.close()
    opened(path.parent)


def test_a_write_that_another_program_holds_up_loses_nothing(path: Path) -> None:
    clock = Ticking()
    clock.forward(3600)  # after the state was left
    with Store.open(URL, path.parent, clock, busy_seconds=0.05) as store:
        listing = start(store, store.leases.acquire("source:main"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            listing.page(record("new"), token=None)
        assert len(Feed(store).changes()) == 300
        other.execute("ROLLBACK")
        other.close()
        assert listing.page(record("new"), token=None).changed == 1


@pytest.mark.parametrize(
    "url",
    ["", "state.db", "sqlite://", "sqlite:///:memory:", "mysql://host/db", "postgres+x://host/db"],
)
def test_a_url_that_names_no_state(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Store.open(url, tmp_path)
    assert "sqlite:///" in raised.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_url_does_not_show_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        Store.open("mysql://user:hunter2@host/db", tmp_path)
    assert "hunter2" not in raised.value.message
