"""A sink that is slow, away, wrong, or does half: the others have everything, it catches up."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.program import Ended
from tests.faults.conftest import NewWorld
from tests.faults.world import World
from tests.thorough import times

PARTIAL = 3


@dataclass(frozen=True, slots=True)
class Way:
    """What comes of a sink that goes wrong in some way.

    Args:
        state: the sink's, after a sync.
        says: in its reason, or in quarantine.
        again: commands that let it take up again, once it is mended.
    """

    state: str
    says: str = ""
    again: tuple[tuple[str, ...], ...] = ()


#: Every third in the short suite.
WAYS = {
    "dumb": Way("behind", "NoneType in place of a WriteResult"),
    "slow": Way("current"),
    "away": Way("behind", "down for maintenance"),
    "needy": Way("parked", "Its key has expired"),
    "refusing": Way("current", "not to its taste", (("quarantine", "retry", "--all"),)),
    "short": Way("behind", "WriteResult accounts for"),
    "halved": Way("behind", "ConnectionResetError"),
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what installing the connector would put there."""
    folder = tmp_path_factory.mktemp("site")
    source = Path(__file__).with_name("odd_sinks.py")
    (folder / "zimun_odd_sinks.py").write_text(source.read_text())
    about = folder / "zimun_odd-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: zimun-odd\nVersion: 1\n")
    point = "[zimun_sync.connectors]\nodd = zimun_odd_sinks:connector\n"
    (about / "entry_points.txt").write_text(point)
    return folder


@pytest.fixture(scope="module")
def beside(new_world: NewWorld, installed: Path) -> World:
    """CSV files and the odd sink beside them, synced once."""
    world = new_world("files")
    world.project.sinks["odd"] = {"type": "odd", "path": "odd.json", "way": "honest"}
    world.project.settings["sync"] = {"sink_patience": 0.1}
    world.project.save()
    assert world.sync(installed=str(installed)).code == 0
    return world


@pytest.mark.parametrize("way", list(WAYS)[:: times(3, 1)])
def test_a_sink_that_goes_wrong_alone_is_behind(beside: World, installed: Path, way: str) -> None:
    world, expected = beside, WAYS[way]
    world.change()
    set_way(world, way)
    ended = world.sync(installed=str(installed))
    assert "Traceback" not in ended.err
    assert {run["status"] for run in ended.json["runs"]} == {"succeeded"}
    assert ended.json["sinks"]["files"]["state"] == "current"
    assert lengths(world) == truth(world)
    assert_told(world, ended, expected)

    set_way(world, "honest")
    for command in expected.again:
        assert world.run(*command, installed=str(installed)).code == 0
    assert world.sync(installed=str(installed)).code == 0
    assert odd(world) == truth(world)


def set_way(world: World, way: str) -> None:
    world.project.sinks["odd"]["way"] = way
    world.project.save()


def assert_told(world: World, ended: Ended, expected: Way) -> None:
    sink = ended.json["sinks"]["odd"]
    assert sink["state"] == expected.state, sink
    if expected.again:
        assert (ended.code, ended.json["in_quarantine"]) == (PARTIAL, sink["rejected"])
    elif expected.says:
        assert ended.code == PARTIAL
        assert expected.says in sink["reason"]
    else:
        assert (ended.code, odd(world)) == (0, truth(world))


def truth(world: World) -> dict[str, int]:
    items = map(json.loads, world.sandbox.world.appointments.identified())
    return {item["appointment_id"]: item["appointment_duration"] for item in items}


def odd(world: World) -> dict[str, int]:
    held: dict[str, int] = json.loads((world.project.folder / "odd.json").read_text())
    return held


def lengths(world: World) -> dict[str, int]:
    def rows() -> Iterator[tuple[str, int]]:
        with (world.project.csv / "appointments.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row["appointment_id"], int(row["duration_minutes"])

    return dict(rows())
