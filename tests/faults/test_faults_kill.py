"""`kill -9` at every named step, and at random instants: nothing is lost, nothing doubles."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.daemon import until
from tests.faults.circumstances import BOUNDARIES
from tests.faults.conftest import NewWorld
from tests.faults.processes import Process
from tests.faults.world import (
    AGAIN_AT_MOST,
    ROWS,
    Served,
    World,
    event_of,
    fetched_again,
    served,
)
from tests.thorough import times

#: Of those that come often, the how-manieth.
_TIME = {
    "request sent": 8,
    "response read": 3,
    "before page commit": 3,
    "within page commit": 3,
    "after page commit": 3,
}
_WEBHOOK = [name for name in BOUNDARIES if "webhook" in name or "inbox" in name]
_FIRST = [name for name in BOUNDARIES if "snapshot" in name]
_TABLES = [name for name in BOUNDARIES if "delta" in name]
#: The short suite dies at every second step of each way.
_STEP = times(2, 1)
_SYNC = [name for name in BOUNDARIES if name not in {*_WEBHOOK, *_FIRST, *_TABLES}]
RANDOM_KILLS = times(5, 200)
#: Somewhat longer than a sync takes here; what ends before is not counted as killed.
LONGEST_SECONDS = 0.8


@pytest.fixture(scope="module")
def tables(new_world: NewWorld) -> World:
    """A project with DuckDB, synced once."""
    world = new_world("analytics")
    assert world.sync().code == 0
    return world


def mark_of(world: World) -> Path:
    return world.project.folder.with_suffix(".mark")


def dying(world: World, boundary: str) -> dict[str, Any]:
    """To be killed there, and to leave a mark that tells so."""
    mark_of(world).write_text("")
    return {"at": boundary, "time": _TIME.get(boundary, 1), "mark": str(mark_of(world))}


def died(process: Process, world: World, boundary: str) -> bool:
    """Whether a process came to the boundary and was killed there."""
    return process.wait() == -signal.SIGKILL and mark_of(world).read_text() == boundary


def killed_and_synced(world: World, boundary: str, **circumstances: Any) -> None:
    world.pages()
    with world.started("sync", dies=dying(world, boundary), **circumstances) as process:
        assert died(process, world, boundary), process.err.read_text()
    before = world.pages()
    ended = world.sync(**circumstances)
    assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.err
    assert fetched_again(before, world.pages()) <= AGAIN_AT_MOST
    assert world.holds_the_truth()


@pytest.mark.parametrize("boundary", _SYNC[::_STEP])
def test_killed_at_a_step_of_a_sync(synced: World, boundary: str) -> None:
    synced.change()
    killed_and_synced(synced, boundary)


@pytest.mark.parametrize("boundary", _TABLES[::_STEP])
def test_killed_while_a_delta_is_published(tables: World, boundary: str) -> None:
    tables.change(every=40)  # few: many would be a snapshot's work
    killed_and_synced(tables, boundary, clock=60)  # the first snapshot is not the latest thing


@pytest.mark.parametrize("boundary", _FIRST[-1::-_STEP])
def test_killed_while_the_first_snapshot_is_published(new_world: NewWorld, boundary: str) -> None:
    killed_and_synced(new_world("analytics"), boundary)


@pytest.fixture
def unlisted(synced: World) -> Iterator[World]:
    """The same project, up to date; from now on listings fail, so that they bring nothing."""
    if not synced.holds_the_truth():  # other projects' tests change the source too
        assert synced.sync().code == 0
    synced.order("503:times=0")
    yield synced
    synced.order()


@pytest.mark.parametrize("boundary", _WEBHOOK[::-_STEP])
def test_killed_at_a_step_of_a_webhook(unlisted: World, boundary: str) -> None:
    """What was not answered comes again; what was answered need not."""
    event = event_of(unlisted.change(every=ROWS)[0])
    with served(unlisted, dies=dying(unlisted, boundary)) as daemon:
        acknowledged = is_acknowledged(daemon, event, boundary)
        assert died(daemon.process, unlisted, boundary)
    assert not acknowledged or "inbox" in boundary
    with served(unlisted) as daemon:
        assert acknowledged or is_acknowledged(daemon, event, boundary)
        until(unlisted.holds_the_truth, "the change is there")


def test_killed_the_moment_a_webhook_is_answered(unlisted: World) -> None:
    event = event_of(unlisted.change(every=ROWS)[0])
    with served(unlisted) as daemon:
        assert is_acknowledged(daemon, event, "just answered")
        daemon.process.kill()
    with served(unlisted):
        until(unlisted.holds_the_truth, "the change is there")


def is_acknowledged(daemon: Served, event: bytes, event_id: str) -> bool:
    try:
        return daemon.post(event, event_id).status_code == 202
    except httpx.TransportError:
        return False


def test_killed_at_random_instants(new_world: NewWorld) -> None:
    """The same project again and again, from its first start on, while its source changes."""
    world, chance = new_world("analytics", "files"), random.Random(20261121)
    kills, before = 0, list[int]()
    for _ in range(3 * RANDOM_KILLS):
        world.change(every=chance.choice([3, 40]))
        with world.started("sync") as process:
            kills += process.wait(chance.uniform(0, LONGEST_SECONDS)) is None
        assert process.wait() in {-signal.SIGKILL, 0}, process.err.read_text()
        after = world.pages()
        assert fetched_again(before, after) <= AGAIN_AT_MOST
        before = after or before
        if kills == RANDOM_KILLS:
            break
    assert kills == RANDOM_KILLS
    for _ in range(2):  # the first goes on with a listing that began before the latest change
        ended = world.sync()
        assert (ended.code, ended.json["status"]) == (0, "succeeded"), ended.err
    assert world.holds_the_truth()
