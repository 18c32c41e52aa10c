"""After the last act: no more troubles, and everything comes to its end."""

from dataclasses import dataclass, field

from tests.simulation.person import Person
from tests.simulation.process import SOURCE
from tests.simulation.watch import check_events, check_law
from tests.simulation.world import World
from zimun_sync.pipeline.deliver import Progress
from zimun_sync.store import MissingState, RunStatus


@dataclass(slots=True)
class Settling:
    """Brings a world to rest.

    Args:
        world: as a scenario left it.
    """

    world: World
    person: Person = field(init=False)
    _asked: int | None = None

    def __post_init__(self) -> None:
        self.person = Person(self.world)

    def rest(self) -> None:
        """No more troubles: let everything come to its end."""
        world = self.world
        world.tell("the troubles are over")
        world.quiet = world.api.quiet = True
        world.api.down = False
        for held in world.held.values():
            held.away, held.refused = False, set()
        world.clock.pass_by(7 * 3_600)
        world.process.keep_leases()
        if world.process.store.runs.recent(1, status=RunStatus.RUNNING):
            world.process.pull()  # before any event makes up for what it may have lost
        while (event := world.mail.next()) is not None:
            world.process.store.inbox.add([event])
            world.mail.acknowledged(event)
        self._finish_events()
        check_events(world)
        check_law(world)
        self.settle()
        while self._some_are_to_be_asked_for():  # no run asks for more than so many
            self.settle()
        if world.profile.staff:  # without by-id, two listings have to miss a record
            self.settle()
        self.person.resume()
        for name in world.process.deliveries:
            self._drain(name)

    def _some_are_to_be_asked_for(self) -> bool:
        missing, asked = self.world.process.store.missing, self._asked
        with self.world.looking():
            left = missing.count(SOURCE, "appointments", MissingState.DUE)
        self._asked, progress = left, asked is None or left < asked
        return bool(left) and progress

    def settle(self) -> None:
        """Work on events, and pull everything."""
        process = self.world.process
        self._finish_events()
        self.world.api.budget.forget()
        self.world.clock.pass_by(3_600)
        process.keep_leases()
        for run in process.pull(full=True):
            self.world.tell(f"{run.stream}: {run.status} {run.error or ''}")
        process.approve()

    def _finish_events(self) -> None:
        process = self.world.process
        while process.apply() or process.fetch():
            pass

    def _drain(self, name: str) -> None:
        process = self.world.process
        for entry in process.store.quarantine.entries(sink=name):
            self.person.mark(entry.id, "retry")
        for _ in range(50):
            progress = process.deliver(name)
            if progress is Progress.IDLE:
                return
            if progress is Progress.PARKED:
                self.person.resume()
        self.world.violated(f"{name} does not come to rest")
