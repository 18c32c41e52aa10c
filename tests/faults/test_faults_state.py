"""The state is full, read-only, locked, damaged, foreign, too new, deleted, or restarts."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.daemon import until
from tests.acceptance.program import Ended
from tests.faults.conftest import NewWorld
from tests.faults.world import AGAIN_AT_MOST, ROWS, World, event_of, fetched_again, served
from tests.postgres.conftest import restart
from tests.thorough import times

if TYPE_CHECKING:
    from tests.conftest import PostgresServer

FAILED, BEHIND = 1, 3


def assert_told(ended: Ended, code: int, *words: str) -> None:
    """One message that says what happened and what to do, and no traceback."""
    said = " ".join(ended.err.split())
    assert (ended.code, "Traceback" in said) == (code, False), said
    for word in ("what to do:", *words):
        assert word in said


def assert_goes_on(world: World) -> None:
    """The next sync ends well, with hardly a page fetched again."""
    before, ended = world.pages(), world.sync()
    assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.err
    assert fetched_again(before, world.pages()) <= AGAIN_AT_MOST
    assert world.holds_the_truth()


def while_it_waits(world: World, do: Callable[[], Any]) -> Ended:
    """How a sync ends to which something is done while it waits for its third page."""
    world.order("429:page=3,retry_after=1")
    with world.started("sync", "--json") as process:
        report = world.sandbox.faults.report
        until(lambda: report()[0]["fired"], "it waits for the third page")
        do()
        ended = process.ended()
    world.order()
    return ended


def test_a_full_disk_under_the_state(synced: World) -> None:
    synced.change(every=1)
    assert_told(synced.sync(full_state=0), FAILED, "disk is full", "state.db")
    assert_goes_on(synced)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A little filesystem of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or _mount("-t", "tmpfs", "-o", "size=8M", "tmpfs", str(place)):
        pytest.skip("Filesystems are mounted by root only.")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mount(*arguments: str) -> int:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode


def _fill(disk: Path, leave: int) -> Path:
    """Take up all but so many bytes."""
    found = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(found.f_bavail * found.f_bsize - leave, 0)))
    return ballast


def test_a_full_disk_under_a_sink(new_world: NewWorld, disk: Path) -> None:
    world = new_world("files")
    world.project.sinks["files"]["path"] = str(disk / "csv")
    world.project.settings["sync"] = {"sink_patience": 0.5}
    world.project.save()
    assert world.sync().code == 0
    world.change(every=1)
    ballast = _fill(disk, leave=8192)
    ended = world.sync()
    assert ended.code == BEHIND
    assert ended.json["sinks"]["files"]["state"] == "behind"
    assert "No space left" in ended.json["sinks"]["files"]["reason"]
    ballast.unlink()
    assert_goes_on(world)


def test_a_disk_that_turned_read_only_under_the_state(new_world: NewWorld, disk: Path) -> None:
    world = new_world("files")
    world.project.settings["state"] = f"sqlite:///{disk}/state.db"
    world.project.save()
    assert world.sync().code == 0
    world.change()
    assert _mount("-o", "remount,ro", str(disk)) == 0
    assert_told(world.sync(), FAILED, "state.db", "right to write")
    assert _mount("-o", "remount,rw", str(disk)) == 0
    assert_goes_on(world)


def test_a_state_that_another_program_locks_is_waited_for(synced: World) -> None:
    synced.change()
    with closing(sqlite3.connect(synced.project.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with synced.started("sync") as process:
            assert process.wait(0.3) is None
            other.execute("ROLLBACK")
            assert process.wait() == 0
    assert synced.holds_the_truth()


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _scribble(start: int, end: int) -> Callable[[Path], None]:
    def scribble(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(b"\xa5" * (end - start))

    return scribble


def _sql(statement: str) -> Callable[[Path], None]:
    def execute(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

    return execute


#: Every fourth in the short suite.
DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (_cut, "damaged"),
    "header overwritten": (_scribble(0, 100), "damaged"),
    "first page overwritten": (_scribble(100, 4096), "damaged"),
    "no database": (lambda path: path.write_text("not a database, some text " * 99), "damaged"),
    "emptied": (lambda path: path.write_bytes(b""), "is empty"),
    "of a newer release": (
        _sql("UPDATE alembic_version SET version_num = '9999'"),
        "9999",
    ),
    "of another program": (_sql("DROP TABLE alembic_version"), "not a zimun-sync state"),
}


@pytest.mark.parametrize("damage", list(DAMAGES)[:: times(4, 1)])
def test_a_state_that_cannot_be_used_is_left_as_it_is(synced: World, damage: str) -> None:
    """Tried on a copy's content, which is put back: nothing was done to the sinks meanwhile."""
    do, word = DAMAGES[damage]
    state, good = synced.project.state, synced.project.state.read_bytes()
    do(state)
    bad = state.read_bytes()
    for command in ("sync", "serve", "status")[: times(1, 3)]:
        assert_told(synced.run(command), FAILED, word)
        assert state.read_bytes() == bad
    state.write_bytes(good)
    assert synced.holds_the_truth()


def _remove(state: Path) -> None:
    for file in state.parent.glob(f"{state.name}*"):
        file.unlink()


def test_a_state_deleted_under_a_sync_ends_it_and_what_sinks_hold_is_kept(
    new_world: NewWorld,
) -> None:
    world = new_world("files")
    assert world.sync().code == 0
    world.change()
    ended = while_it_waits(world, lambda: _remove(world.project.state))
    assert_told(ended, FAILED, "state.db", "removed or replaced", "backup")
    assert not world.project.state.exists()
    held = (world.project.csv / "appointments.csv").read_bytes()
    assert_told(world.run("sync"), 2, "filled from another store", "adopt files")
    assert (world.project.csv / "appointments.csv").read_bytes() == held
    assert world.run("adopt", "files", "--yes").code == 0
    assert_goes_on(world)


def test_no_webhook_is_acknowledged_into_a_deleted_state(new_world: NewWorld) -> None:
    world = new_world("files")
    assert world.sync().code == 0
    event = event_of(world.change(every=ROWS)[0])
    with served(world) as daemon:
        assert daemon.post(event, "before").status_code == 202
        _remove(world.project.state)
        assert daemon.post(event, "after").status_code == 503
        assert daemon.is_ready() is False


@pytest.mark.parametrize("under", ["state", "sink"][: times(1, 2)])
def test_postgresql_restarts_in_mid_run(
    new_world: NewWorld, postgres_server: "PostgresServer", postgres_url: str, under: str
) -> None:
    """Who asks at that very instant may be told so; else nobody notices."""
    world = new_world("files")
    if under == "state":
        world.project.settings["state"] = postgres_url
    else:
        sink = {"type": "postgres", "url": postgres_url, "schema": "bookings"}
        world.project.sinks["warehouse"] = sink
    world.project.save()
    ended = while_it_waits(world, lambda: restart(postgres_server))
    if ended.code:
        assert_told(ended, FAILED, "is not available")
    assert_goes_on(world)
