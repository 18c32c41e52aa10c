"""The simulated world: truth, network, disk, sinks, and the processes that live and die in it."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.simulation.api import Api, Wire
from tests.simulation.clock import SimClock
from tests.simulation.disk import Disk
from tests.simulation.held import Held
from tests.simulation.life import Killed, Life
from tests.simulation.mail import Mail
from tests.simulation.process import Process
from tests.simulation.profile import Profile
from tests.simulation.real import RealSink
from tests.simulation.sink import SimSink
from tests.simulation.source import Source
from zimun_sync.errors import LeaseHeld
from zimun_sync.events import Event
from zimun_sync.sinks import Sink
from zimun_sync.store import LEASE_SECONDS

_NESTED: Final = 2
Row = Mapping[str, Any]


@dataclass
class World:
    """Everything there is.

    Args:
        seed: decides everything that happens.
        profile: which troubles there are.
        folder: for the state and for real sinks.
        real: a sink of a real connector; it is killed only between its calls.
        told: told the story as it happens.
    """

    seed: int
    profile: Profile
    folder: Path
    chance: Random
    real: RealSink | None = None
    told: Callable[[str], None] | None = None
    story: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    quiet: bool = False
    lives: list[Life] = field(default_factory=list)
    crashes: int = 0
    fuse: int = 0
    dropped: set[str] = field(default_factory=set)
    meanwhile: Callable[[], None] = lambda: None
    heard: Callable[[Event], None] = lambda _event: None
    known_since: dict[str, float] = field(default_factory=dict)
    _looking: bool = False
    _depth: int = 0

    def __post_init__(self) -> None:
        self.clock = SimClock()
        self.mail = Mail(self.clock, self.chance, self.profile)
        self.source = Source(self.clock, self.chance, self.profile, self.mail.tell)
        self.api = Api(self.source, self.clock, self.chance, self.profile, self.violated)
        self.disk = Disk(self.folder, self.clock.now)
        self.held: dict[str, Held] = {}
        self.add_sink("first")

    def tell(self, what: str) -> None:
        """Add to the story."""
        line = f"{self.clock.true:14.3f} {'  ' * self._depth}{what}"
        self.story.append(line)
        if self.told is not None:
            self.told(line)

    def violated(self, what: str) -> None:
        """Something happened that must not."""
        self.tell(f"VIOLATED: {what}")
        self.violations.append(what)

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Tell of a difference."""
        if found != wanted:
            self.violated(f"{what}: {found}, not {wanted}")

    def compare(self, where: str, row: Row | None, wanted: Row) -> None:
        """One row against the reference."""
        if row is None:
            self.violated(f"{where} is missing")
            return
        wrong = {each: (row[each], value) for each, value in wanted.items() if row[each] != value}
        if wrong:
            self.violated(f"{where} has wrong values (found, wanted): {wrong}")

    def add_sink(self, name: str) -> None:
        """Another sink, from the next process on."""
        self.held[name] = Held(name, self.violated, self._deleted)

    def _deleted(self, key: str) -> None:
        if key not in self.source.deleted_at:
            self.violated(f"{key} is deleted in a sink, and never was at the source")

    @contextmanager
    def looking(self) -> Iterator[None]:
        """We look at the state ourselves: nothing happens meanwhile."""
        self._looking = True
        try:
            yield
        finally:
            self._looking = False

    @property
    def zones(self) -> Mapping[str, str]:
        """Time zones of locations, as far as anybody can know them."""
        return self.source.zones if self.profile.places else {}

    @property
    def life(self) -> Life:
        """The process that holds the leases."""
        return self.lives[-1]

    @property
    def process(self) -> Process:
        """The same, at work."""
        process = self.life.process
        assert process is not None
        return process

    def start(self) -> None:
        """Let a new process begin; what is killed in beginning is followed by another."""
        while True:
            try:
                return self._begin()
            except LeaseHeld:
                self.clock.pass_by(LEASE_SECONDS)
            except Killed:
                self.bury()

    def _begin(self) -> None:
        life = Life(len(self.lives) + 1)
        self.lives.append(life)
        self.tell(f"process {life.number} begins")

        def at(place: str, nests: bool) -> None:
            self.at(life, place, nests=nests)

        def emit(event: Event) -> None:
            self.tell(f"told: {event}")
            if life is self.life:
                self.heard(event)

        store, life.database = self.disk.open(at)
        sinks: dict[str, Sink] = {
            name: SimSink(held, life, at, self.chance, self.profile, lambda: self.quiet)
            for name, held in self.held.items()
        }
        sinks |= {} if self.real is None else self.real.build()
        wire = Wire(self.api, at)
        life.process = Process(
            store, wire, sinks, self.clock, self.profile, emit=emit, told=self.tell
        )

    def at(self, life: Life, place: str, *, nests: bool) -> None:
        """A boundary: the process may be killed here, or something else may happen meanwhile.

        Raises:
            Killed: it was killed, here or before.
        """
        if life.dead:
            raise Killed
        if self.quiet or self._looking:
            return
        roll = self.chance.random()
        self.fuse -= 1
        if roll < self.profile.crash or self.fuse == 0:
            self.tell(f"process {life.number} is killed {place}")
            for each in self.lives:  # what waits for it would go on with its own clean-up
                each.dead = True
            raise Killed
        nests = nests and self._depth < _NESTED and self.life.process is not None
        if nests and roll < self.profile.crash + self.profile.meanwhile:
            self._nest(life, place)

    def _nest(self, life: Life, place: str) -> None:
        self.tell(f"while process {life.number} is {place}:")
        self._depth += 1
        try:
            if self._depth == 1 and self.chance.random() < self.profile.freeze:
                self._freeze(life)
            self.meanwhile()
        finally:
            self._depth -= 1
        if life.dead:
            raise Killed

    def _freeze(self, life: Life) -> None:
        """The process stands still past its lease, and another one takes over."""
        if life is not self.life or self.life.process is None or self.real is not None:
            return  # who holds a real lock cannot be told apart within one process of ours
        self.tell(f"process {life.number} stands still")
        self.clock.pass_by(LEASE_SECONDS + self.chance.randint(1, 60))
        try:
            self._begin()
        except LeaseHeld:
            self._withdraw()
            return
        life.fenced = True

    def _withdraw(self) -> None:
        """The latest process could not begin."""
        life = self.lives.pop()
        if life.database is not None:
            life.database.close()

    def bury(self) -> None:
        """After a kill: everything in memory is gone, and perhaps what the disk had not synced."""
        self.crashes += 1
        alive = [life for life in self.lives if life.process is not None]
        if len(alive) == 1:
            self.api.budget.killed(self.clock.true, self.disk.unfinished())
        elif alive:  # nobody can tell whose page was which
            self.api.budget.forget()
        for life in self.lives:
            life.dead = True
        power_lost = self.chance.random() < self.profile.power_loss
        if power_lost:
            self.tell("the power is lost too")
            self.api.budget.forget()
            self.disk.lose_power()
        for life in self.lives:
            self.let_go(life)
        if power_lost:
            self._make_sure_that_no_sink_is_ahead()
        self.clock.pass_by(LEASE_SECONDS + 1)

    def _make_sure_that_no_sink_is_ahead(self) -> None:
        head = self.disk.head()
        for held in self.held.values():
            if held.top > head:
                self.violated(f"{held.name} has seen {held.top}, and the store only knows {head}")

    def let_go(self, life: Life) -> None:
        """What the operating system does at a process's end."""
        life.dead = True
        if self.real is not None:
            self.real.free()
        life.process = None
        if life.database is not None:
            life.database.close()
            life.database = None
        if self.real is not None:
            gc.collect()  # its files are closed with what had them open
        for held in self.held.values():
            if held.owner is life:
                held.owner = None

    def end(self) -> None:
        """Let the process end in good order."""
        life = self.life
        self.tell(f"process {life.number} ends")
        self.process.end()
        self.let_go(life)
