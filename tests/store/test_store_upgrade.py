"""A state of an older schema is backed up, migrated whole or not at all, and can go back."""

import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from tests.store.conftest import SOURCE, STREAM, Feed, Ticking, content, record, rows, start
from zimun_sync.errors import LeaseLost, StateTooNew, StoreError
from zimun_sync.ids import IdState, Known
from zimun_sync.store import Lease, ParkKind, Place, Received, Store
from zimun_sync.store.inspection import look_at
from zimun_sync.store.restoring import restore
from zimun_sync.store.revisions import HEAD, migrations
from zimun_sync.store.schema import history

URL = "sqlite:///state.db"
CLOCK = Ticking()
BACKUP = "state.db.schema-0001.backup"
#: Tables of the first schema, with a row of each that a release of that time had filled.
ROWS = """
    INSERT INTO identity VALUES ('5ca1ab1e', 1000000);
    INSERT INTO sources VALUES ('main', 1, 'org_1', '', 0);
    INSERT INTO listings VALUES (1, 'main', 'services');
    INSERT INTO offsets VALUES ('crm', 'main', 'services', 1, 'f', 1, 2000000);
    INSERT INTO leases VALUES ('source:main', 7, '', 0);
"""


def migrate(path: Path, revision: str) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A state as the first release made it, with one record; nobody has it open."""
    path = tmp_path / "state.db"
    migrate(path, "0001")
    path.chmod(0o600)
    service = record("cut")
    with sqlite3.connect(path) as plain:
        plain.executescript(f"PRAGMA journal_mode = WAL; {ROWS}")
        plain.execute(
            "INSERT INTO records VALUES (1, ?, 1, 0, 0, 1, 1, 0, ?, ?, ?, ?, 'run', 2)",
            (service.key, service.hash, b"-", service.row, service.raw),
        )
    plain.close()
    return path


def schema(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        [[found]] = connection.execute("SELECT version_num FROM alembic_version")
        tables = {name for [name] in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert ("inbox" in tables) is (found != "0001")
    assert ("remote_ids" in tables) is (found not in {"0001", "0002"})
    return str(found)


def test_an_older_state_is_migrated_with_all_it_holds(old: Path) -> None:
    with Store.open(URL, old.parent, CLOCK) as store:
        assert store.store_id == "5ca1ab1e"
        assert store.organization(SOURCE) == "org_1"
        assert list(Feed(store).names()) == ["cut"]
        lease = store.leases.acquire("source:main")
        assert start(store, lease).page(record("new"), token=None).changed == 1
    assert schema(old) == HEAD


def test_a_process_that_was_at_work_on_the_old_schema_is_fenced_off(old: Path) -> None:
    """It would store records without their keys. How long nobody was at work is still known."""
    with sqlite3.connect(old) as plain:
        plain.execute("UPDATE leases SET expires_at = 5")
    plain.close()
    with Store.open(URL, old.parent, CLOCK) as store:
        assert store.leases.last_held("source:main") == 5
        with pytest.raises(LeaseLost):
            store.leases.renew(Lease("source:main", 7))
        assert store.leases.acquire("source:main").epoch > 7


def test_a_state_from_before_remote_systems_takes_their_memory(old: Path) -> None:
    migrate(old, "0002")
    with sqlite3.connect(old) as plain:
        plain.execute(
            "INSERT INTO inbox (source, event_id, status, sent_at, received_at, body) "
            "VALUES ('main', 'e1', 'waiting', 1, 1, x'7B7D')"
        )
    plain.close()
    with Store.open(URL, old.parent, CLOCK) as store:
        assert list(Feed(store).names()) == ["cut"]
        assert store.inbox.add([Received(SOURCE, "e1", 1, b"{}")]) == 0
        assert store.activations.of("crm") is None
        assert store.notices.of("crm") == []
        memory = store.memory("crm", store.leases.acquire("sink:crm"))
        memory.save("appointment", [known := Known("main/a", IdState.LINKED, "7")])
        assert memory.known("appointment", ["main/a"]) == {"main/a": known}
    assert schema(old) == HEAD
    assert schema(old.with_name("state.db.schema-0002.backup")) == "0002"


def test_it_is_backed_up_first(old: Path) -> None:
    with Store.open(URL, old.parent, CLOCK):
        pass
    backup = old.with_name(BACKUP)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert schema(backup) == "0001"
    assert set(content(old.parent)) == {"state.db", BACKUP}
    assert [each.file for each in look_at(URL, old.parent).copies] == [backup]


def test_a_present_state_is_not_backed_up(path: Path) -> None:
    with Store.open(URL, path.parent):
        pass
    assert list(path.parent.glob("*.backup")) == []


def test_rolling_back_as_the_operations_page_tells(old: Path) -> None:
    with Store.open(URL, old.parent, CLOCK) as store:
        lease = store.leases.acquire("source:main")
        start(store, lease).page(record("after the upgrade"), token=None)
        store.leases.release(lease)
    done = restore(URL, old.parent, old.with_name(BACKUP), CLOCK)
    assert done.facts.schema == "0001"
    assert schema(old) == "0001"  # what the former release opens
    assert done.kept is not None
    assert schema(done.kept) == HEAD
    # And forward again, whenever the newer release is back.
    with Store.open(URL, old.parent, CLOCK) as store:
        assert list(Feed(store).names()) == ["cut"]
        assert store.deliveries.parked()["crm"].kind is ParkKind.RESTORED
        assert store.deliveries.offset(Place("crm", SOURCE, STREAM), "f") == 1


def test_without_room_for_the_backup_nothing_is_migrated(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = shutil.disk_usage(old)._replace(free=1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: full)
    with pytest.raises(StoreError, match="not brought from schema 0001") as raised:
        Store.open(URL, old.parent)
    assert "no room" in raised.value.message
    assert "Free some space" in raised.value.hint
    assert schema(old) == "0001"
    monkeypatch.undo()
    with Store.open(URL, old.parent) as store:
        assert store.store_id == "5ca1ab1e"


def test_a_state_of_a_newer_release_is_not_even_backed_up(old: Path) -> None:
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StateTooNew):
        Store.open(URL, old.parent)
    assert list(content(old.parent)) == ["state.db"]


def test_the_latest_three_backups_are_kept(old: Path) -> None:
    for number in range(4):
        former = old.with_name(f"state.db.schema-000{number}x.backup")
        former.write_bytes(b"")
        os.utime(former, (number, number))
    mine = old.with_name("state.db.backup")
    mine.write_bytes(b"made by hand")
    with Store.open(URL, old.parent):
        pass
    assert {file.name for file in old.parent.glob("*.backup")} == {
        BACKUP,
        "state.db.schema-0002x.backup",
        "state.db.schema-0003x.backup",
        "state.db.backup",
    }


KILLED = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from zimun_sync.store import Store

def kill(connection, cursor, statement, *others):
    if sys.argv[2] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

sa.event.listen(sa.Engine, "after_cursor_execute", kill)
Store.open("sqlite:///state.db", Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE inbox",
        "CREATE TABLE troubles",
        "CREATE TABLE remote_ids",
        "CREATE TABLE sink_notices",
        "UPDATE alembic_version",
    ],
)
def test_a_migration_that_is_killed_leaves_the_old_schema(old: Path, statement: str) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(old.parent), statement], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert schema(old) == schema(old.with_name(BACKUP)) == "0001"
    with Store.open(URL, old.parent, CLOCK) as store:
        assert list(Feed(store).names()) == ["cut"]
    assert schema(old) == HEAD


def test_what_a_correction_overruled_is_known_of_older_versions(tmp_path: Path) -> None:
    """Held at 5, completed at 20; asked by id it was scheduled at 10; cancelled at 30."""
    path = tmp_path / "state.db"
    migrate(path, "0003")
    path.chmod(0o600)
    past = [(0, 5, "held", 1, 2), (0, 20, "completed", 2, 3), (1, 10, "scheduled", 3, 4)]
    past.append((1, 7, "late", 5, 5))  # it came when another was corrected already
    with sqlite3.connect(path) as plain:
        plain.executescript(f"PRAGMA journal_mode = WAL; {ROWS}")
        service = record("cut")
        plain.execute(
            "INSERT INTO records VALUES (1, ?, 9, 1, 20, 30, 30, 0, ?, ?, ?, ?, 'run', 4)",
            (service.key, service.hash, b"-", service.row, service.raw),
        )
        plain.executemany(
            "INSERT INTO history VALUES (1, 'cut', ?, ?, ?, ?, 0, ?, 'run', ?, ?)",
            [
                (correction, version, name.encode(), version, service.row, seen, left)
                for correction, version, name, seen, left in past
            ],
        )
    plain.close()
    with Store.open(URL, tmp_path, CLOCK) as store:
        found = {row["version"]: (row["overruled"], row["seq"]) for row in rows(store, history)}
    never = -(2**63)
    assert found == {5: (never, 9), 7: (never, 9), 10: (20, 9), 20: (never, 9)}
