"""Backups are whole and of one moment; a restored state resends nothing blindly."""

import os
import re
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.store.conftest import (
    SOURCE,
    STREAM,
    Feed,
    State,
    Ticking,
    content,
    record,
    rows,
    start,
)
from zimun_sync.errors import ConfigError, LeaseHeld, StateTooNew, StateUnreadable, StoreError
from zimun_sync.ids import IdState, Known
from zimun_sync.store import Delivered, ParkKind, Place, RunStatus, Store, copying
from zimun_sync.store.backups import back_up
from zimun_sync.store.inspection import look_at
from zimun_sync.store.restoring import Restored, restore
from zimun_sync.store.schema import hook_calls, requests

URL = "sqlite:///state.db"
POSTGRES = "postgresql://someone:hunter2@db.example/zimun"
SINKS = ("crm", "files")
_NOBODY = 65534
#: Goes on from test to test, and from well after the `path` fixture's own.
CLOCK = Ticking(datetime(2026, 11, 20, 4, tzinfo=UTC))


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of even these small states takes several steps."""
    monkeypatch.setattr(copying, "_BYTES_A_STEP", 64 * 1024)


@pytest.fixture
def backup(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the state at `path`, in a folder of its own."""
    target = tmp_path_factory.mktemp("backups") / "monday.db"
    return back_up(URL, path.parent, target).file


def opened(path: Path) -> Store:
    return Store.open(f"sqlite:///{path.name}", path.parent, CLOCK)


def restored(path: Path, backup: Path, **options: float) -> Restored:
    CLOCK.forward(1)  # what is kept is named after the second
    return restore(URL, path.parent, backup, CLOCK, **options)


def add(path: Path, *keys: str) -> None:
    """Have the state list these too."""
    with opened(path) as store:
        lease = store.leases.acquire("source:main")
        start(store, lease).page(*(record(key) for key in keys), token=None)
        store.leases.release(lease)


def keys(path: Path) -> set[str]:
    with opened(path) as store:
        return set(Feed(store).seqs())


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def deliver(store: Store, *sinks: str) -> None:
    """Have sinks take what is there."""
    for sink in sinks:
        lease = store.leases.acquire(f"sink:{sink}")
        took = Delivered(store.feed.heads()[SOURCE], [], [], "run")
        store.deliveries.record(lease, Place(sink, SOURCE, STREAM), "f", took, began_at=0)
        store.leases.release(lease)


def is_sound(file: Path) -> bool:
    with sqlite3.connect(file) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    connection.close()
    return found == [("ok",)]


# -- backing up ---------------------------------------------------------------------------


def test_a_backup_is_one_private_file_with_everything_in_it(path: Path, backup: Path) -> None:
    assert names(backup.parent) == {"monday.db"}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert is_sound(backup)
    assert keys(backup) == keys(path)


def test_what_is_committed_meanwhile_neither_waits_nor_gets_in(path: Path, tmp_path: Path) -> None:
    """A copy that began again with each commit would never end."""
    before = keys(path)
    with opened(path) as store:
        lease = store.leases.acquire("source:main")
        listing = start(store, lease)
        steps: list[int] = []

        def busy(copied: int, total: int) -> None:
            listing.page(record(f"later-{len(steps)}"))
            steps.append(copied)
            assert copied <= total

        made = back_up(URL, path.parent, tmp_path / "backup.db", told=busy)
        assert len(Feed(store).changes()) == len(before) + len(steps)
    assert 3 < len(steps) < 30
    assert steps == sorted(set(steps))
    assert steps[-1] == made.size_bytes
    assert keys(made.file) == before


def test_what_is_still_in_the_log_is_backed_up(path: Path, tmp_path: Path) -> None:
    with opened(path) as store:
        lease = store.leases.acquire("source:main")
        start(store, lease).page(record("new"), token=None)
        assert path.with_name("state.db-wal").stat().st_size > 0
        made = back_up(URL, path.parent, tmp_path / "backup.db")
    assert "new" in keys(made.file)


def test_a_file_that_is_there_is_replaced_only_by_force(path: Path, backup: Path) -> None:
    add(path, "new")
    with pytest.raises(ConfigError, match="there already") as raised:
        back_up(URL, path.parent, backup)
    assert "--force" in raised.value.hint
    assert "new" not in keys(backup)
    back_up(URL, path.parent, backup, force=True)
    assert "new" in keys(backup)


def test_the_state_itself_is_never_overwritten(path: Path) -> None:
    path.with_name("link.db").symlink_to(path)
    for name in ("state.db", "link.db"):
        with pytest.raises(ConfigError, match="the state itself"):
            back_up(URL, path.parent, path.with_name(name), force=True)
    assert len(keys(path)) == 300


def test_a_folder_is_no_place_for_a_backup(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folder"):
        back_up(URL, path.parent, tmp_path, force=True)
    with pytest.raises(StoreError, match="cannot be written") as raised:
        back_up(URL, path.parent, tmp_path / "nowhere" / "backup.db")
    assert "folder that exists" in raised.value.hint


def test_there_has_to_be_a_state(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no file"):
        back_up(URL, tmp_path, tmp_path / "backup.db")
    assert content(tmp_path) == {}


@pytest.mark.parametrize("damage", [0, 8192])
def test_a_damaged_state_makes_no_backup(path: Path, tmp_path: Path, damage: int) -> None:
    data = bytearray(path.read_bytes())
    data[damage : damage + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with pytest.raises(StateUnreadable, match="damaged") as raised:
        back_up(URL, path.parent, tmp_path / "backup.db")
    assert str(path) in raised.value.message
    assert list(content(tmp_path)) == ["state.db"]


def test_a_backup_needs_room(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = shutil.disk_usage(tmp_path)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    with pytest.raises(StoreError, match=r"no room .* 0.1 MB are free") as raised:
        back_up(URL, path.parent, tmp_path / "backup.db")
    assert "Free some space" in raised.value.hint
    assert list(content(tmp_path)) == ["state.db"]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_backup_that_cannot_be_finished_leaves_nothing(path: Path, backup: Path) -> None:
    before = backup.read_bytes()
    with files_no_larger_than(100_000), pytest.raises(StoreError) as raised:
        back_up(URL, path.parent, backup, force=True)
    assert raised.value.hint
    assert content(backup.parent) == {"monday.db": before}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_backup_that_root_makes_belongs_to_whom_the_state_belongs(
    path: Path, tmp_path: Path
) -> None:
    os.chown(path, _NOBODY, _NOBODY)
    made = back_up(URL, path.parent, tmp_path / "backup.db").file
    assert made.stat().st_uid == _NOBODY


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_state_that_root_restores_belongs_to_whom_the_former_one_belongs(
    path: Path, backup: Path
) -> None:
    os.chown(path, _NOBODY, _NOBODY)
    os.chown(path.parent, _NOBODY, _NOBODY)
    done = restored(path, backup)
    assert backup.stat().st_uid == 0
    assert [file.stat().st_uid for file in (path, done.kept) if file] == [_NOBODY, _NOBODY]
    path.unlink()
    restored(path, backup)
    assert path.stat().st_uid == _NOBODY


_FIVE = ", clock=lambda: datetime(2026, 11, 20, 5, tzinfo=UTC)"


def killed_at(number: int, function: str, *arguments: Path, more: str = "") -> bool:
    """Whether the function was killed at its which-th step on files; false if it ended first."""
    call = f"{function}('{URL}', Path(sys.argv[2]), Path(sys.argv[3]){more})"
    program = f"""
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zimun_sync.store import copying
from zimun_sync.store.{"backups" if function == "back_up" else "restoring"} import {function}
copying._BYTES_A_STEP = 65536
copying.nobody = lambda copied, total: count("step", ())
left = [int(sys.argv[1])]
def count(event, arguments):
    if event in ("step", "os.rename", "os.link", "os.remove", "os.chown", "sqlite3.connect"):
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
{call}
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(number), *map(str, arguments)], check=False
    )
    assert ended.returncode in (0, -9)
    return ended.returncode != 0


def test_a_killed_backup_leaves_no_half_of_one(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    target = folder / "backup.db"
    number = 1
    while killed_at(number, "back_up", path.parent, target):
        assert not target.exists() or is_sound(target)
        target.unlink(missing_ok=True)
        number += 1
    assert number > 4
    assert list(content(folder)) == ["backup.db"]
    assert keys(target) == keys(path)


# -- restoring ----------------------------------------------------------------------------


def test_a_restored_state_is_as_the_backup_and_the_former_one_is_kept(
    path: Path, backup: Path
) -> None:
    add(path, "new")
    done = restored(path, backup)
    assert len(keys(path)) == 300
    assert done.kept is not None
    assert re.fullmatch(r"state\.db\.before-restore-20261120T04\d{4}Z", done.kept.name)
    assert keys(done.kept) == keys(path) | {"new"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path.parent) == {path.name, done.kept.name}


def test_the_former_state_can_be_restored_in_turn(path: Path, backup: Path) -> None:
    add(path, "new")
    first = restored(path, backup)
    assert first.kept is not None
    restored(path, first.kept)
    assert "new" in keys(path)


@pytest.fixture
def busy_backup(path: Path, tmp_path: Path) -> Path:
    """A backup made while runs were under way, sinks had taken changes and requests waited."""
    with opened(path) as store, store._database.write(durable=True) as connection:
        connection.execute(requests.insert().values(kind="approve", arguments="{}", requested_at=1))
        call: dict[str, Any] = {"hook": "alert", "event": "trouble", "payload": "{}", "needs": "{}"}
        call |= {"status": "waiting", "attempts": 0, "created_at": 1, "due_at": 1}
        connection.execute(hook_calls.insert().values(call))
    with opened(path) as store:
        deliver(store, *SINKS)
        store.deliveries.park("files", ParkKind.BROKEN, "It is full.", "Empty it.")
        lease = store.leases.acquire("source:main")
        start(store, lease).page(record("half"), token="stale")
        made = back_up(URL, path.parent, tmp_path / "busy.db")
        store.leases.release(lease)
    return made.file


def test_every_sink_waits_until_someone_has_looked(path: Path, busy_backup: Path) -> None:
    done = restored(path, busy_backup)
    assert done.parked == SINKS
    with opened(path) as store:
        parked = store.deliveries.parked()
        assert store.deliveries.offset(Place("crm", SOURCE, STREAM), "f") > 0
    assert {name: each.kind for name, each in parked.items()} == dict.fromkeys(
        SINKS, ParkKind.RESTORED
    )
    assert "restored from a backup of 2026-11-20 04:0" in parked["crm"].reason
    assert "zimun-sync adopt crm" in parked["crm"].hint
    assert "zimun-sync resume crm" in parked["crm"].hint


def test_a_remote_sink_asks_anew_and_trusts_nothing_it_sent(path: Path, tmp_path: Path) -> None:
    """What was created and sent since the backup is not known to it."""
    sent = Known("main/a", IdState.LINKED, "7", "etag", {"title": "1f"}, contact="email:a@x.org")
    with opened(path) as store:
        lease = store.leases.acquire("sink:crm")
        memory = store.memory("crm", lease)
        memory.claim("portal-1")
        store.activations.activate("crm", None, 500)
        memory.save("appointment", [sent])
        assert not memory.spend("night", 511, 10)
        store.activations.approve("crm")
        store.leases.release(lease)
        made = back_up(URL, path.parent, tmp_path / "remote.db")
    assert restored(path, made.file).parked == ("crm",)
    with opened(path) as store:
        parked = store.deliveries.parked()["crm"]
        assert parked.kind is ParkKind.RESTORED
        assert "zimun-sync sinks activate crm" in parked.hint
        memory = store.memory("crm", store.leases.acquire("sink:crm"))
        assert memory.activation() is None
        assert memory.account() == "portal-1"
        assert memory.known("appointment", ["main/a"]) == {"main/a": replace(sent, sent={})}
        assert not memory.spend("night", 11, 10)
        store.activations.activate("crm", None, 0)
        assert store.deliveries.parked() == {}


def test_a_stale_page_token_is_not_resumed(path: Path, busy_backup: Path) -> None:
    done = restored(path, busy_backup)
    assert done.superseded >= 1
    with opened(path) as store:
        assert store.runs.recent()[0].status == RunStatus.SUPERSEDED
        listing = start(store, store.leases.acquire("source:main"), fresh=False)
        assert (listing.run.pages, listing.run.page_token) == (0, None)


def test_a_run_that_failed_lately_is_not_resumed_either(path: Path, tmp_path: Path) -> None:
    with opened(path) as store:
        lease = store.leases.acquire("source:main")
        failing = start(store, lease)
        failing.page(record("half"), token="stale")
        failing.fail()
        store.leases.release(lease)
    made = back_up(URL, path.parent, tmp_path / "backup.db").file
    restored(path, made)
    with opened(path) as store:
        again = start(store, store.leases.acquire("source:main"), fresh=False)
        assert (again.run.pages, again.run.page_token) == (0, None)


def test_leases_requests_and_hooks_of_the_past_are_over(path: Path, busy_backup: Path) -> None:
    restored(path, busy_backup)
    with opened(path) as store:
        store.leases.acquire("source:main")
        assert rows(store, requests) == []
        assert rows(store, hook_calls) == []


def test_nothing_is_restored_while_a_process_works_on_the_state(path: Path, backup: Path) -> None:
    with opened(path) as store:
        lease = store.leases.acquire("source:main")
        with pytest.raises(LeaseHeld, match=f"process {os.getpid()} on") as raised:
            restored(path, backup)
        assert "Stop it" in raised.value.hint
        store.leases.release(lease)
        with pytest.raises(StoreError, match="locked by another program"):
            restored(path, backup, busy_seconds=0.01)
        assert len(Feed(store).changes()) == 300
    restored(path, backup)


def test_the_lease_of_a_process_that_was_killed_is_no_hindrance(path: Path, backup: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from zimun_sync.store import Store; "
        "Store.open('sqlite:///state.db', Path(sys.argv[1])).leases.acquire('source:other'); "
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(path.parent)], check=False)
    assert path.with_name("state.db-wal").exists()
    assert restored(path, backup).kept
    assert len(keys(path)) == 300


def scribble(path: Path, start: int) -> None:
    data = bytearray(path.read_bytes())
    data[start:] = b"\xa5" * (len(data) - start)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: scribble(path, 100),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"text " * 999),
    ],
    ids=["scribbled", "empty", "text"],
)
def test_a_damaged_state_is_replaced_and_kept(
    path: Path, backup: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    before = path.read_bytes()
    done = restored(path, backup)
    assert done.kept is not None
    assert done.kept.read_bytes() == before
    assert len(keys(path)) == 300


def test_the_log_of_a_damaged_state_never_meets_the_restored_one(path: Path, backup: Path) -> None:
    add(path, "new")
    with Store.open(URL, path.parent) as other:
        other.add_source("another")
        log = path.with_name("state.db-wal").read_bytes()
        scribble(path, 0)
        kept = restored(path, backup).kept
        assert kept is not None
        assert log
        assert kept.with_name(f"{kept.name}-wal").read_bytes() == log
        assert names(path.parent) == {"state.db", kept.name, f"{kept.name}-wal"}
    assert len(keys(path)) == 300


def test_a_lost_state_is_restored_where_it_was(path: Path, backup: Path) -> None:
    target = path.parent / "new" / "place"
    done = restore(URL, target, backup, CLOCK)
    assert done.kept is None
    assert names(target) == {"state.db"}
    assert keys(target / "state.db") == keys(path)


def too_new(backup: Path) -> None:
    with sqlite3.connect(backup) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def foreign(backup: Path) -> None:
    backup.unlink()
    with sqlite3.connect(backup) as connection:
        connection.execute("CREATE TABLE guests (name)")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (Path.unlink, StoreError),
        (lambda file: file.write_bytes(b""), StateUnreadable),
        (lambda file: file.write_bytes(b"text " * 999), StateUnreadable),
        (lambda file: file.write_bytes(file.read_bytes()[:8192]), StateUnreadable),
        (foreign, StateUnreadable),
        (too_new, StateTooNew),
    ],
    ids=["missing", "empty", "text", "cut", "foreign", "too new"],
)
def test_a_file_that_cannot_be_restored_changes_nothing(
    path: Path, backup: Path, spoil: Callable[[Path], None], error: type[StoreError]
) -> None:
    spoil(backup)
    before = content(path.parent)
    with pytest.raises(error) as raised:
        restored(path, backup)
    assert type(raised.value) is error
    assert str(backup) in raised.value.message or error is StateTooNew
    assert raised.value.hint
    assert content(path.parent) == before


def test_damage_deep_in_a_backup_is_found_too(path: Path, backup: Path) -> None:
    data = bytearray(backup.read_bytes())
    data[-8192:] = b"\xa5" * 8192
    backup.write_bytes(data)
    before = content(path.parent)
    with pytest.raises(StateUnreadable, match="damaged"):
        restored(path, backup)
    assert content(path.parent) == before


def test_the_state_is_no_backup_of_itself(path: Path) -> None:
    with pytest.raises(ConfigError, match="the state itself"):
        restored(path, path)


def test_another_programs_database_is_left_alone(path: Path, backup: Path) -> None:
    foreign(path)
    before = content(path.parent)
    with pytest.raises(ConfigError, match="another program's database"):
        restored(path, backup)
    assert content(path.parent) == before


def test_a_restore_that_is_killed_leaves_the_old_state_or_the_new(path: Path, backup: Path) -> None:
    add(path, "new")
    shutil.copy(path, backup.with_name("present.db"))
    seen = set()
    number = 1
    while killed_at(number, "restore", path.parent, backup, more=_FIVE):
        seen.add("new" in keys(path))
        for file in content(path.parent):
            (path.parent / file).unlink()
        shutil.copy(backup.with_name("present.db"), path)
        number += 1
    assert number > 6
    assert True in seen
    assert "new" not in keys(path)


# -- PostgreSQL and looking ---------------------------------------------------------------


def test_postgres_has_tools_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PostgreSQL") as raised:
        back_up(POSTGRES, tmp_path, tmp_path / "backup.db")
    assert "pg_dump" in raised.value.hint
    assert "hunter2" not in raised.value.message
    with pytest.raises(ConfigError, match="PostgreSQL") as raised:
        restore(POSTGRES, tmp_path, tmp_path / "backup.db")
    assert "pg_restore" in raised.value.hint


def test_a_state_tells_who_it_is_and_who_works_on_it(state: State, store: Store) -> None:
    store.leases.acquire("source:main")
    found = look_at(state.url, state.folder, state.clock)
    assert found.facts.store_id == store.store_id
    assert found.facts.created_at <= found.facts.as_of
    assert found.size_bytes > 10_000
    assert found.held["source:main"].pid == os.getpid()
    assert "hunter2" not in found.where


def test_copies_beside_the_state_are_listed(path: Path, backup: Path) -> None:
    kept = restored(path, backup).kept
    assert [each.file for each in look_at(URL, path.parent).copies] == [kept]


def test_looking_makes_no_state(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no state"):
        look_at(URL, tmp_path)
    assert content(tmp_path) == {}
