"""What has to be true of a run the moment it ends, and of an event once it is worked on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

from tests.simulation.process import SOURCE
from tests.simulation.records import is_readable, reference
from tests.simulation.world import World
from zimun_sync.events import DeletionsChecked, DeletionsHeld, Event, RunFinished, RunStarted
from zimun_sync.model import APPOINTMENTS
from zimun_sync.normalize import Normalizer, Places, Rules
from zimun_sync.sinks import Batch
from zimun_sync.store import Origin, RunStatus

_STREAM = "appointments"


@dataclass(slots=True)
class Watch:
    """Listens to what the processes tell, and compares it with the truth.

    Args:
        world: to look at.
    """

    world: World
    _began: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Hear of something."""
        match event:
            case RunStarted(stream="appointments", resumed=False):
                self._began[event.run_id] = self.world.clock.true
            case DeletionsChecked(stream="appointments"):
                self._asked(event)
            case DeletionsHeld(stream="appointments"):
                self._held(event)
            case RunFinished(stream="appointments", status=RunStatus.SUCCEEDED):
                self._ended(event)
            case _:
                pass

    def _ended(self, event: RunFinished) -> None:
        """What stood all along, and was on a page for sure, is in the store."""
        with self.world.looking():
            stored = {key for key, _ in self.world.process.store.feed.hashes(SOURCE, _STREAM)}
        for key in stored:
            self.world.known_since.setdefault(key, self.world.clock.true)
        if self._may_have_missed(event.run_id):
            return
        for key, content in self.world.source.appointments.items():
            old = self.world.source.touched_at[key] < self._began[event.run_id]
            if old and is_readable(content) and key not in stored:
                self.world.violated(f"{event.run_id} succeeded without {key}")

    def _asked(self, event: DeletionsChecked) -> None:
        """What was buried is gone, and nobody asked for what the listing had."""
        with self.world.looking():
            changes = self.world.process.store.feed.changes(SOURCE, _STREAM, 0, 10_000)
        buried = {each.key for each in changes if each.row is None}
        wrong = sorted(buried - self.world.source.deleted_at.keys())
        if wrong:
            self.world.violated(f"{event.run_id} buried {wrong}, which never were deleted")
        if (
            event.present
            and not self._may_have_missed(event.run_id)
            and not self._restored(event.run_id)
        ):
            self.world.violated(f"{event.run_id} asked for {event.present} that it had listed")

    def _held(self, event: DeletionsHeld) -> None:
        """Nobody holds back deletions of what the listing had."""
        if self._may_have_missed(event.run_id) or self._restored(event.run_id):
            return
        source = self.world.source
        gone = [key for key in source.said if key not in source.appointments]
        if event.missing > len(gone):
            self.world.violated(f"{event.run_id} lacks {event.missing}, and {len(gone)} are gone")

    def _restored(self, run_id: str) -> bool:
        """Whether a record came back that the listing could not show any more."""
        return self.world.source.restored_at >= self._began[run_id]

    def _may_have_missed(self, run_id: str) -> bool:
        """Whether a listing of that kind may leave something out, through no fault of ours."""
        profile, source = self.world.profile, self.world.source
        began = self._began.get(run_id)
        if began is None or profile.lag or profile.incremental:
            return True
        if profile.order.startswith("keyset"):  # what is touched only moves to what is to come
            return False
        return max(source.touched_at.values(), default=0.0) >= began


def check_events(world: World) -> None:
    """What events told is known, without any listing; before they can be asked for by id."""
    rows = stored_rows(world)
    for key, told in world.mail.told.items():
        content = world.source.appointments.get(key)
        if content is None or not is_readable(content) or _is_ambiguous(world, key):
            continue
        if content in told:
            world.compare(f"the event of {key}", rows.get(key), _plain(world, content))


def check_law(world: World) -> None:
    """No version that an event carried would win against what stands."""
    normalizer = Normalizer(APPOINTMENTS, Rules({}, {}), Places())
    readable = [
        each
        for each in world.mail.whole.values()
        if is_readable(each) and _has_every_field(world, each)
    ]
    carried = [normalizer.normalize(msgspec.json.encode(each)) for each in readable]
    merger, database = world.process.store.pages._merger, world.process.store._database
    origin = Origin(SOURCE, _STREAM, "")
    with database.read() as connection:
        standing = merger.standing(connection, origin, [each.key for each in carried])
    for each in carried:
        known = standing.get(each.key)
        if known is None or known.correction or each.updated_at is None:
            continue
        rank = (each.updated_at, False, each.hash)
        if rank > (known.version, known.deleted, known.hash):
            world.violated(f"{each.key}: a greater version than the one that stands lost")


def _has_every_field(world: World, content: Mapping[str, object]) -> bool:
    """Else it is taken for a part of the appointment, and fetched."""
    states = world.source.stated[str(content["appointment_id"])]
    return all(each.keys() <= content.keys() for each in states)


def _plain(world: World, content: dict[str, object]) -> dict[str, object]:
    """Columns that need no place: which ones are known depends on the last pull."""
    local = {"local_start", "local_date", "timezone"}
    wanted = reference(content, world.zones)
    return {name: value for name, value in wanted.items() if name not in local}


def _is_ambiguous(world: World, key: str) -> bool:
    """Whether the times of its states do not tell their order."""
    stamps = [each.get("updated_at", "") for each in world.source.stated[key]]
    in_order = all(before < after for before, after in pairwise(stamps))
    return not in_order or "" in stamps or _is_first_and_partial(world, key)


def _is_first_and_partial(world: World, key: str) -> bool:
    """Whether the first that was ever known of it may have been a part, for all that we know."""
    partial_at = world.mail.partial.get(key)
    if partial_at is None:
        return False
    return key in world.source.deleted_at or world.known_since.get(key, partial_at) >= partial_at


def stored_rows(world: World) -> dict[str, dict[str, object]]:
    """Appointments as the store would give them to a sink."""
    feed = world.process.store.feed
    changes = feed.changes(SOURCE, _STREAM, 0, 10_000)
    batch = Batch(SOURCE, APPOINTMENTS, changes)
    return {each.key: dict(each.row) for each in batch.changes if each.row is not None}
