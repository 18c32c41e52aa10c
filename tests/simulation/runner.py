"""Runs a scenario by its seed and says what was wrong with it."""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest.mock import patch

from tests.simulation.oracle import check
from tests.simulation.profile import drawn
from tests.simulation.real import RealSink
from tests.simulation.scenario import Scenario
from tests.simulation.settling import Settling
from tests.simulation.watch import Watch
from tests.simulation.world import World
from zimun_sync.store import keys


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a scenario.

    Args:
        seed: the scenario.
        violations: what must not have happened.
        story: all that did.
        crashes: kills.
        requests: answered by the API.
    """

    seed: int
    violations: tuple[str, ...]
    story: tuple[str, ...]
    crashes: int
    requests: int

    def __str__(self) -> str:
        """For people, with the command that shows the story."""
        wrong = "\n".join(f"  {each}" for each in self.violations)
        command = f"python -m tests.simulation --seed {self.seed} -v"
        return f"Seed {self.seed}:\n{wrong}\n  Its story: {command}"


def run(seed: int, told: Callable[[str], None] | None = None) -> Outcome:
    """Play one scenario."""
    chance = Random(seed)
    # Its listings are short: so that keys are gathered and settled in them as in long ones.
    short = patch.multiple(keys, GATHERED=chance.choice((4, 12, 40)), FEW=chance.choice((1, 3)))
    with short, TemporaryDirectory(prefix="zimun-sim-", dir=_memory()) as folder:
        world = World(
            seed, drawn(chance), Path(folder), chance, real=_real(seed, Path(folder)), told=told
        )
        world.tell(f"seed {seed}: {world.profile}")
        with nullcontext() if world.real is None else _own_garbage():
            _play(world)
        return Outcome(
            seed, tuple(world.violations), tuple(world.story), world.crashes, world.api.requests
        )


@contextmanager
def _own_garbage() -> Iterator[None]:
    """Have collections look at what a scenario makes: all else is a hundred times as much."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _play(world: World) -> None:
    world.heard = Watch(world)
    settling = Settling(world)
    try:
        Scenario(world).run()
        settling.rest()
        check(world)
        _again(world, settling)
    except Exception as error:  # noqa: BLE001 - whatever the code raises is a finding
        world.violated(f"{type(error).__name__}: {error}")
    finally:
        for life in world.lives:
            world.let_go(life)


def _again(world: World, settling: Settling) -> None:
    """A sync of an unchanged source costs the sinks nothing."""
    world.end()
    world.start()
    before = {name: (held.opens, held.writes) for name, held in world.held.items()}
    world.clock.pass_by(3_600)
    settling.settle()
    for name in world.process.deliveries:
        world.process.deliver(name)
    after = {name: (held.opens, held.writes) for name, held in world.held.items()}
    world.expect("calls of sinks for an unchanged source", after, before)
    world.end()


def _real(seed: int, folder: Path) -> RealSink | None:
    """Now and then a real connector takes part: it costs more than all the rest."""
    if seed % 50 == 49:
        return RealSink("duckdb", folder)
    return RealSink("csv", folder) if seed % 25 == 12 else None


def _memory() -> str | None:
    """A folder in memory, where there is one: every commit would wait for the disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
