"""Whether nothing is in flight any more, and whatever had to be delivered again was."""

from tests.simulation.process import SOURCE
from tests.simulation.records import is_readable
from tests.simulation.world import World
from zimun_sync.normalize.events import EVENT_KEY
from zimun_sync.pipeline.report import lag_of
from zimun_sync.store import SOURCE_SIDE


def check_rest(world: World) -> None:
    """Nothing is in flight."""
    store = world.process.store
    world.expect("events that wait", store.inbox.waiting(SOURCE), 0)
    running = [run.run_id for run in store.runs.recent(1_000, status="running")]
    world.expect("runs that run", running, [])
    world.expect("missing records", store.missing.keys(SOURCE, "appointments"), set())
    for name, delivery in world.process.deliveries.items():
        world.expect(f"changes that {name} lacks", lag_of(store, delivery).changes, 0)
    for name, held in world.held.items():
        world.expect(f"not delivered to {name} again", held.not_again(), [])
    check_quarantine(world)


def check_quarantine(world: World) -> None:
    """Only what nobody can read waits there, and all of it but what a person dropped."""
    entries = world.process.store.quarantine.entries()
    source_side = {each.key for each in entries if each.sink == SOURCE_SIDE}
    waiting = {key for key in source_side if not key.startswith(EVENT_KEY)}
    bad = {key for key, each in world.source.appointments.items() if not is_readable(each)}
    world.expect("quarantined, but fine", waiting - bad, set())
    world.expect("unreadable, but not quarantined", bad - waiting - world.dropped, set())
    events = {key.removeprefix(EVENT_KEY) for key in source_side - waiting}
    world.expect("events in quarantine", events - world.mail.unreadable, set())
    world.expect("refused", [each.key for each in entries if each.sink != SOURCE_SIDE], [])
