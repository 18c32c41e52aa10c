"""What a person does beside the daemon: replays, retries, drops, approvals."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.simulation.world import World
from zimun_sync.errors import ConfigError
from zimun_sync.store import SOURCE_SIDE


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a command line.

    Args:
        world: to act in.
    """

    world: World

    def act(self) -> None:
        """One of these, by chance."""
        world = self.world
        acts: list[Callable[[], object]] = [self.replay, self.retry, self.drop, self.resume]
        acts.append(world.process.approve)
        acts.append(self.refuse if world.profile.refusals else self.resume)
        world.chance.choice(acts)()

    def replay(self) -> None:
        """Everything again, or what is an hour old."""
        world = self.world
        since = world.chance.choice((None, int((world.clock.ours() - 3_600) * 1e6)))
        for name in world.held:
            world.tell(f"a replay of {name} since {since}")
            taken = world.held[name].batch_began_at  # it may be taken again before we are told
            world.process.store.deliveries.rewind(name, since)
            if since is None:
                world.held[name].replayed(taken)

    def retry(self) -> None:
        """All that is in quarantine, once more."""
        for entry in self.world.process.store.quarantine.entries():
            self.mark(entry.id, "retry")

    def drop(self) -> None:
        """One unreadable record is given up."""
        store = self.world.process.store
        entries = [each for each in store.quarantine.entries() if each.sink == SOURCE_SIDE]
        if entries:
            entry = self.world.chance.choice(entries)
            self.world.dropped.add(entry.key)  # first: killed on the way, it may be done
            self.mark(entry.id, "dropped")

    def mark(self, number: int, status: str) -> None:
        """Set an entry's status, unless it was settled meanwhile."""
        self.world.tell(f"quarantine: {number} is {status}")
        with suppress(ConfigError):  # it was settled meanwhile
            self.world.process.store.quarantine.mark(number, status)

    def resume(self) -> None:
        """Parked sinks get something again."""
        for name in self.world.process.store.deliveries.parked():
            self.world.tell(f"{name} is resumed")
            self.world.process.store.deliveries.unpark(name)

    def refuse(self) -> None:
        """A sink refuses some records from now on, and what it refused before no more."""
        world = self.world
        held = world.chance.choice(list(world.held.values()))
        keys = sorted(world.source.appointments)
        held.refused = set(world.chance.sample(keys, min(len(keys), world.chance.randint(1, 3))))
        world.tell(f"{held.name} refuses {sorted(held.refused)}")
