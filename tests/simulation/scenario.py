"""What happens in a scenario: one act after the other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.life import Killed, Life
from tests.simulation.person import Person
from tests.simulation.world import World
from zimun_sync.errors import LeaseLost
from zimun_sync.store import Received

Act = Callable[[], object]
#: At which boundary of an act a kill is aimed: of a pull from its pages on, of an event's way
#: until it is in the sinks, of a shorter act.
_PULL: Final = (15, 120)
_PROMPT: Final = (10, 45)
_SHORT: Final = (1, 25)
_LONG: Final = (5.0, 300.0, 4_000.0, 30_000.0)


@dataclass(slots=True)
class Scenario:
    """Acts in a world, by its chance.

    Args:
        world: as it was drawn.
    """

    world: World
    _person: Person = field(init=False)

    def __post_init__(self) -> None:
        self._person = Person(self.world)

    def run(self) -> None:
        """From nothing to the last act; the world is left as it is then."""
        world = self.world
        world.meanwhile = self._meanwhile
        for _ in range(world.profile.records):
            world.source.book()
        if world.profile.refusals:
            self._person.refuse()
        world.start()
        self._survive(self._night)
        for _ in range(world.profile.steps):
            self._survive(self._next())

    def _survive(self, act: Act) -> None:
        """Act, and go on with a new process after the end of this one."""
        world, life = self.world, self.world.life
        aimed = world.chance.random() < world.profile.aimed
        world.fuse = world.chance.randint(*self._range_of(act)) if aimed else 0
        killed = False
        try:
            world.process.keep_leases()
            act()
            self._make_sure_they_are_fenced()
        except Killed:
            killed = True  # not buried here: the error still holds on to what it came through
        except LeaseLost:
            self._lost(life)
        if killed:
            self._go_on()

    def _range_of(self, act: Act) -> tuple[int, int]:
        if act == self._night:
            return _PULL
        return _PROMPT if act == self._prompt else _SHORT

    def _go_on(self) -> None:
        """After a kill: a daemon that was away often pulls first."""
        world = self.world
        world.fuse = 0
        world.bury()
        world.start()
        if world.chance.random() < 0.5:
            self._survive(self._night)

    def _make_sure_they_are_fenced(self) -> None:
        """Processes that stood still may end their steps, but commit nothing more."""
        for life in self._fenced():
            assert life.process is not None
            try:
                life.process.leases.renew()
            except LeaseLost:
                self._part_with(life)
            else:
                self.world.violated(f"process {life.number} holds a lease that another one took")

    def _fenced(self) -> list[Life]:
        """Who stood still in this act, one after the other: what goes on without one may too."""
        return [each for each in self.world.lives if each.fenced and each.process is not None]

    def _lost(self, life: Life) -> None:
        if not life.fenced:
            self.world.violated(f"process {life.number} lost a lease that nobody else took")
        for each in self._fenced() or [life]:
            self._part_with(each)

    def _part_with(self, life: Life) -> None:
        world = self.world
        world.tell(f"process {life.number} has lost its lease, and ends")
        world.let_go(life)
        if life is world.life:
            world.start()

    def _next(self) -> Act:
        profile = self.world.profile
        acts: list[tuple[float, Act]] = [
            (4, self._changes),
            (3, self._night),
            (3, self._mail),
            (2, self._work_events),
            (2, self._deliver),
            (2, self._prompt),
            (1, self._person.act),
            (1, self._wait),
            (1, self._restart),
            (float(profile.jumps > 0), self._jump),
        ]
        [act] = self.world.chance.choices(
            [each for _, each in acts], [weight for weight, _ in acts]
        )
        return act

    def _meanwhile(self) -> None:
        acts: list[tuple[float, Act]] = [
            (5, self._change),
            (3, self._mail),
            (2, self._work_events),
            (2, self._deliver),
            (1, self._pull),
            (1, self._person.act),
            (1, self._person.replay),
            (1, lambda: self.world.clock.pass_by(20)),
        ]
        [act] = self.world.chance.choices(
            [each for _, each in acts], [weight for weight, _ in acts]
        )
        act()

    def _change(self) -> None:
        self.world.tell(self.world.source.change())

    def _changes(self) -> None:
        for _ in range(self.world.chance.randint(1, 5)):
            self._change()
            self.world.clock.pass_by(self.world.chance.choice((0.0, 0.3, 20.0)))

    def _pull(self) -> None:
        world = self.world
        full = world.chance.random() < 0.15
        world.api.down = world.api.down and world.chance.random() < 0.3
        world.tell("a full pull begins" if full else "a pull begins")
        if full:
            world.api.budget.forget()
        for run in world.process.pull(full=full):
            world.tell(f"{run.stream}: {run.status} {run.error or ''}")

    def _night(self) -> None:
        """A pull, and what follows in the sinks."""
        self._pull()
        for _ in range(self.world.chance.randint(0, 2)):
            self._deliver()

    def _prompt(self) -> None:
        """A change, its event, and what follows in the sinks."""
        self._changes()
        self._mail()
        self._work_events()
        self._deliver()

    def _mail(self) -> None:
        for _ in range(self.world.chance.randint(1, 4)):
            event = self.world.mail.next()
            if event is not None:
                self._receive(event)

    def _receive(self, event: Received) -> None:
        self.world.tell(f"event {event.event_id} comes: {event.body.decode()}")
        self.world.process.store.inbox.add([event])
        self.world.mail.acknowledged(event)

    def _work_events(self) -> None:
        self.world.tell("events are worked on")
        process = self.world.process
        process.apply()
        process.fetch()

    def _deliver(self) -> None:
        name = self.world.chance.choice(sorted(self.world.process.deliveries))
        progress = self.world.process.deliver(name)
        self.world.tell(f"delivery to {name}: {progress.name}")

    def _wait(self) -> None:
        self.world.clock.pass_by(self.world.chance.choice(_LONG))

    def _jump(self) -> None:
        clock, most = self.world.clock, self.world.profile.jumps
        clock.skew = self.world.chance.choice((0.0, most, -most, most / 10))
        self.world.tell(f"our clock is set to be {clock.skew:+} s off")

    def _restart(self) -> None:
        """With another configuration, perhaps."""
        world = self.world
        life = world.life
        world.end()
        if life.fenced:  # another one was faster
            return
        if world.chance.random() < 0.4 and len(world.held) < 2:
            world.add_sink("second")
            world.tell("there is a second sink now")
        for held in world.held.values():
            if world.chance.random() < 0.2:
                held.version += 1
                held.again_after = held.taken
                world.tell(f"{held.name} has other settings")
        world.start()
