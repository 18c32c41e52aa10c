"""A business that was pulled, lived through a day of calls, and was pulled again.

What the analysts' questions should answer is told from its world, never from a view: the world's
own records, its own schedule, and each version of a record as the world published it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.asking import HTTP
from tests.acceptance.daemon import Daemon, fresh_secret, serve_settings, serving, until
from tests.acceptance.program import Project
from tests.marts.calls import Callers, corrections_behind_the_desk
from zimun_sync.sandbox import Sandbox, SandboxOptions
from zimun_sync.sandbox.world import World
from zimun_sync.sandbox.world.schedule import Question
from zimun_sync.zimun import ClientSettings, ZimunClient

ROWS, SEED = 1500, 11
#: How far the availability is pulled, days.
HORIZON = 14
STREAMS = (
    "organization",
    "locations",
    "services",
    "staff",
    "resources",
    "holidays",
    "availability",
    "appointments",
)

Json = dict[str, Any]
#: Start and end, epoch seconds.
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the world would have answered at a pull.

    Args:
        free: free slots by staff member, service and day of the location's calendar.
        records: the appointments by identifier.
    """

    free: dict[tuple[str, str, date], tuple[Span, ...]]
    records: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Business:
    """The synced project and the truth about what it was synced from.

    Args:
        project: its folder holds the configuration and the database.
        world: as it is after the last pull.
        first: what it was at the first pull.
        last: what it was at the last pull.
        versions: of the appointments that changed or are new: every version from the first
            pull on.
        silent: those versions that no event told of.
        deleted: identifiers of those that were deleted.
    """

    project: Project
    world: World
    first: Moment
    last: Moment
    versions: dict[str, list[Json]]
    silent: tuple[Json, ...]
    deleted: tuple[str, ...]

    @property
    def database(self) -> Path:
        """What analysts open."""
        return self.project.database


def moment(world: World) -> Moment:
    """The world as it is now."""
    items = (json.loads(item) for item in world.appointments.identified())
    return Moment(_free(world), {item["appointment_id"]: item for item in items})


def _free(world: World) -> dict[tuple[str, str, date], tuple[Span, ...]]:
    found: defaultdict[tuple[str, str, date], list[Span]] = defaultdict(list)
    for staff_id, person in world.catalog.staff.items():
        for service_id in person["service_ids"]:
            asked = Question(service_id, HORIZON, staff_id, person["location_id"])
            for slot in world.bookings.schedule.availability(asked)["slots"]:
                start, end = (datetime.fromisoformat(slot[name]) for name in ("start", "end"))
                span = (int(start.timestamp()), int(end.timestamp()))
                found[staff_id, service_id, start.date()].append(span)
    return {key: tuple(spans) for key, spans in found.items()}


@contextmanager
def business(folder: Path) -> Iterator[Business]:
    """One that was synced by the real program, with webhooks in between, for the block's time."""
    # Two days ago: what was generated is older than anything that happens here.
    today = datetime.now(UTC).date() - timedelta(days=2)
    with Sandbox(SandboxOptions(appointments=ROWS, seed=SEED, today=today)) as sandbox:
        yield _lived_through(_project(folder, sandbox), sandbox)


def _project(folder: Path, sandbox: Sandbox) -> Project:
    made = Project(folder / "business", sandbox.base_url)
    made.source.update(streams=list(STREAMS), availability_days=HORIZON)
    del made.sinks["files"]
    serve_settings(made, fresh_secret())
    return made


def _lived_through(project: Project, sandbox: Sandbox) -> Business:
    world = sandbox.world
    first = moment(world)
    published: list[Json] = []
    silent: list[Json] = []
    world.subscribe(lambda event: published.append(json.loads(event.appointment)))
    with serving(project, project.source["webhook_secrets"][0]) as daemon:
        daemon.wait_for_first_pull()
        daemon.register(sandbox)
        with ZimunClient(_client(sandbox)) as client:
            Callers(client, sandbox).make_a_day_of_calls()
        until(lambda: _taken(daemon, sandbox, len(published)), "every event is in the database")
    deleted = corrections_behind_the_desk(world, silent.append)
    last = moment(world)
    ended = project.sync("--full")
    assert ended.code == 0, ended.err
    versions = _versions(first, [*published, *silent])
    return Business(project, world, first, last, versions, tuple(silent), deleted)


def _versions(first: Moment, news: Iterable[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for record in news:
        key = record["appointment_id"]
        known = [first.records[key]] if key in first.records else []
        found.setdefault(key, known).append(record)
    return found


def _client(sandbox: Sandbox) -> ClientSettings:
    return ClientSettings(
        base_url=sandbox.base_url,
        client_id=sandbox.client_id,
        client_secret=sandbox.client_secret,  # type: ignore[arg-type]
    )


def _taken(daemon: Daemon, sandbox: Sandbox, events: int) -> bool:
    """Whether so many events came, were merged and were handed to the sink."""
    (deliveries,) = HTTP.get(f"{sandbox.control_url}/deliveries").json().values()
    status = daemon.status()
    waiting = status["sources"]["main"]["inbox"]["waiting"]
    lags = [sink["lag"]["changes"] for sink in status["sinks"].values()]
    return deliveries["delivered"] == events and waiting == 0 and not any(lags)
