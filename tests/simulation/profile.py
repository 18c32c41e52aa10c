"""What a scenario is made of: some of the troubles, others in each, so that all of them meet."""

from dataclasses import dataclass
from random import Random
from typing import Final, Literal

Order = Literal["offset-id", "offset-updated", "keyset-id", "keyset-updated"]
Stamps = Literal["second", "milli", "none", "mixed"]

ORDERS: Final[tuple[Order, ...]] = (
    "offset-id",
    "offset-updated",
    "keyset-id",
    "keyset-updated",
)
_STAMPS: Final[tuple[Stamps, ...]] = ("second", "second", "milli", "none", "mixed")


@dataclass(frozen=True, slots=True)
class Profile:
    """The troubles of one scenario; shares are chances from 0 to 1.

    Args:
        steps: what happens one after the other.
        records: appointments at the beginning.
        page_size: records of a page.
        order: how the listing is ordered and paged.
        stamps: how exact `updated_at` is; none: it is left out; mixed: now and then.
        backwards: share of edits whose `updated_at` goes back.
        hooks: share of changes that an event tells.
        thin: share of events that only name the appointment, or lack fields.
        loss: share of events that never come.
        twice: share of events that come again.
        crash: chance that the process is killed, at each boundary.
        aimed: share of acts in the middle of which it is killed for sure.
        power_loss: share of those in which the disk forgets what was not synced.
        meanwhile: chance that something else happens, at each boundary.
        freeze: share of those in which the process stands still past its lease.
        http: share of requests that fail in some way.
        sink_down: chance that a sink is away, at each contact.
        refusals: whether sinks refuse records for a while.
        bugs: chance that a sink fails in a way its contract does not know.
        poison: share of edits that nobody can read.
        lag: most changes that a listing may lag behind; it also leaves out records then.
        page_token_life: seconds that page tokens are good for.
        jumps: most seconds that our clock is set by.
        incremental: whether the listing can be limited to what changed.
        places: whether the organization and its locations are pulled, which tell time zones.
        staff: whether a stream without by-id is pulled.
        ahead: whether a page is fetched while the one before is stored.
        brake: records that may go missing at once.
    """

    steps: int
    records: int
    page_size: int
    order: Order
    stamps: Stamps
    backwards: float
    hooks: float
    thin: float
    loss: float
    twice: float
    crash: float
    aimed: float
    power_loss: float
    meanwhile: float
    freeze: float
    http: float
    sink_down: float
    refusals: bool
    bugs: float
    poison: float
    lag: int
    page_token_life: float
    jumps: float
    incremental: bool
    places: bool
    staff: bool
    ahead: bool
    brake: int


def drawn(chance: Random) -> Profile:
    """A profile by chance."""
    stamps = chance.choice(_STAMPS)
    return Profile(
        steps=chance.randint(3, 9),
        records=chance.choice((4, 6, 9, 9, 14, 20)),
        page_size=chance.randint(3, 5),
        order=chance.choice((*ORDERS, "keyset-id")),
        stamps=stamps,
        backwards=_some(chance, 0.3),
        hooks=chance.choice((0.0, 0.6, 1.0, 1.0)),
        thin=_some(chance, 0.7),
        loss=_some(chance, 0.3),
        twice=_some(chance, 0.4),
        crash=chance.choice((0.0, 0.0, 0.01, 0.03)),
        aimed=chance.choice((0.0, 0.3, 0.5)),
        power_loss=chance.choice((0.0, 0.5)),
        meanwhile=chance.choice((0.0, 0.05, 0.1, 0.2)),
        freeze=_some(chance, 0.12),
        http=_some(chance, 0.08),
        sink_down=_some(chance, 0.2),
        refusals=chance.random() < 0.4,
        bugs=_some(chance, 0.06),
        poison=_some(chance, 0.4),
        lag=chance.choice((0, 0, 0, 1, 3)),
        page_token_life=chance.choice((1e9, 1e9, 120.0)),
        jumps=chance.choice((0.0, 0.0, 600.0)),
        incremental=stamps in {"second", "milli"} and chance.random() < 0.3,
        places=chance.random() < 0.3,
        staff=chance.random() < 0.15,
        ahead=chance.random() < 0.6,
        brake=chance.choice((2, 10)),
    )


def _some(chance: Random, most: float) -> float:
    """Nothing in half of the scenarios."""
    return chance.uniform(0.0, most) if chance.random() < 0.5 else 0.0
