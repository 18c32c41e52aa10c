"""A source whose records change between the pages of a listing, in the orders that APIs list by.

    python -m tests.pipeline.moving 1000 auto unstable

counts, for each order, in what share of seeded runs a record is lost that stood all along.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec

from tests.states import put_new_state
from zimun_sync.errors import NotFound
from zimun_sync.events import Event
from zimun_sync.normalize import Places, Rules
from zimun_sync.normalize.process import Setup
from zimun_sync.pipeline.ahead import in_turn
from zimun_sync.pipeline.deletions import DeletionRules
from zimun_sync.pipeline.listings import Interrupted
from zimun_sync.pipeline.passes import Paging
from zimun_sync.pipeline.pull import Pull
from zimun_sync.store import Brake, Lease, Run, Store
from zimun_sync.zimun import Page

STREAM: Final = "appointments"
SIZE, PAGE = 120, 10
#: The chance of each kind of change between two requests.
CHANCE: Final = 0.35
_T0: Final = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)

Stamps = dict[str, datetime]
Place = tuple[Any, ...]
#: How each order sorts: a record's place among the others by its key and `updated_at`.
ORDERS: Final[Mapping[str, Callable[[str, datetime], Place]]] = {
    "keyset by id": lambda key, _: (key,),
    "keyset by updated_at and id": lambda key, at: (at.timestamp(), key),
    "offset by id, new ones last": lambda key, _: (key,),
    "offset by id, new ones anywhere": lambda key, _: (key,),
    "offset by updated_at, newest first": lambda key, at: (-at.timestamp(), key),
}


@dataclass
class MovingApi:
    """Appointments that are edited, made and deleted between requests; a `Listings`.

    Args:
        order: one of `ORDERS`.
        random: what happens.
        busy: whether anything does.
    """

    order: str
    random: Random
    busy: bool = False
    now: datetime = _T0
    stamps: Stamps = field(default_factory=dict)
    requests: int = 0
    served: int = 0
    made: int = 0
    #: What one pass brought, to its last page, and what has stood since it began.
    one_pass: set[str] = field(default_factory=set)
    plain_lost: bool | None = None
    stood: set[str] = field(default_factory=set)

    def make(self) -> None:
        """A new appointment, at a place of its own in the order of ids or behind all others."""
        self.made += 1
        number = self.made if self.order.endswith("last") else self.random.getrandbits(64)
        self.stamps[f"a_{number:016x}"] = self.now

    def begin(self) -> None:
        """From now on things happen, and are watched."""
        self.busy = True
        self.stood = {*self.stamps}
        self.one_pass.clear()
        self.plain_lost = None
        self.requests = 0

    def change(self, chance: float = CHANCE) -> None:
        """Edit, make and delete one appointment each, or none, as chance has it."""
        edited, made, deleted = (self.random.random() < chance for _ in range(3))
        if edited:
            self.stamps[self._any()] = self.now
        if made:
            self.make()
        if deleted:
            del self.stamps[self._any()]

    def _any(self) -> str:
        return self.random.choice(sorted(self.stamps))

    def page(
        self, stream: str, page_token: str | None = None, params: Mapping[str, str] | None = None
    ) -> Page:
        """A page, and whatever happens after it."""
        assert (stream, params or {}) == (STREAM, {})
        self.now += _MINUTE
        keys, token = self._window(page_token)
        self._watch(keys, token)
        self.served += 1
        answer = self._answer(keys, page_token, token)
        if self.busy:
            self.now += _MINUTE
            self.change()
        self.stood &= {*self.stamps}
        return answer

    def _watch(self, keys: list[str], token: str | None) -> None:
        if self.plain_lost is None:
            self.one_pass.update(keys)
            if token is None:
                self.plain_lost = bool(self.stood - self.one_pass)

    def _window(self, page_token: str | None) -> tuple[list[str], str | None]:
        place_of = ORDERS[self.order]
        in_order = sorted(self.stamps, key=lambda key: place_of(key, self.stamps[key]))
        if self.order.startswith("offset"):
            at = int(page_token or 0)
            end = at + PAGE
            return in_order[at:end], str(end) if end < len(in_order) else None
        after = tuple(json.loads(page_token or "[]"))
        rest = [key for key in in_order if place_of(key, self.stamps[key]) > after]
        keys = rest[:PAGE]
        if len(rest) <= PAGE:
            return keys, None
        return keys, json.dumps(place_of(keys[-1], self.stamps[keys[-1]]))

    def record(self, stream: str, key: str) -> Page:
        """One appointment by its id."""
        assert stream == STREAM
        if key not in self.stamps:
            raise NotFound(f"No {key}.")
        return self._answer([key], None, None)

    def _answer(self, keys: list[str], asked: str | None, token: str | None) -> Page:
        self.requests += 1
        raws = [msgspec.Raw(self._item(key)) for key in keys]
        return Page(raws, token, asked, self.now, self.now, 0)

    def _item(self, key: str) -> bytes:
        item = {
            "appointment_id": key,
            "organization_id": "o_1",
            "appointment_time": "2026-12-01T09:45:00+01:00",
            "updated_at": self.stamps[key].isoformat(),
        }
        return json.dumps(item).encode()

    def listing_parameters(self, stream: str, params: Mapping[str, str] | None = None) -> str:
        """What a page token belongs to."""
        return f"{stream}{params}"

    def changed_since(self, _moment: datetime) -> dict[str, str]:
        """It cannot do that."""
        return {}

    def has_by_id(self, stream: str) -> bool:
        """Appointments can be asked for."""
        return stream == STREAM


@dataclass
class Desk:
    """One source and its pulls into a store that others may share.

    Args:
        store: where records go; its clock is set by `clock`.
        clock: what the store's clock reads.
        name: the source's.
        api: the source.
        paging: its setting.
    """

    store: Store
    clock: list[datetime]
    name: str
    api: MovingApi
    paging: Paging = Paging.AUTO
    events: list[Event] = field(default_factory=list)

    def pull(self, stopping: Callable[[], bool] = lambda: False) -> Run:
        """List all appointments."""
        self.store.add_source(self.name)
        self.clock[0] = self.api.now + _MINUTE / 2
        lease = self._lease()
        try:
            pull = Pull(
                self.name,
                self.api,
                self.store,
                lease,
                in_turn,
                self.events.append,
                stopping,
                DeletionRules(Brake(share=0.5, least=10)),  # so few records, so many deleted
                self.paging,
            )
            return pull.run(Setup(STREAM, Rules({}, {}), Places()))
        finally:
            self.store.leases.release(lease)

    def step(self) -> None:
        """Pull, and be asked to end at the first request."""
        before = self.api.requests
        with suppress(Interrupted):
            self.pull(lambda: self.api.requests > before)

    def _lease(self) -> Lease:
        return self.store.leases.acquire(f"source:{self.name}")

    def held(self) -> set[str]:
        """Keys of the appointments in the store."""
        changes = self.store.feed.changes(self.name, STREAM, 0, 10_000)
        return {change.key for change in changes if change.row is not None}


def night(store: Store, clock: list[datetime], seed: int, case: "Case") -> "Outcome":
    """One listing while the source is busy; what was lost by it, and by a plain reader."""
    api = MovingApi(case.order, Random(seed))
    for _ in range(SIZE):
        api.make()
        api.now += _MINUTE
    desk = Desk(store, clock, f"s{seed}-{case.number}", api, case.paging)
    if case.known:
        desk.pull()
        for _ in range(SIZE // 4):
            api.now += _MINUTE
            api.change()
    api.begin()
    run = desk.pull()
    assert run.status == "succeeded", run.error
    assert api.plain_lost is not None
    return Outcome(
        api.plain_lost,
        bool(api.stood - desk.held()),
        run.passes,
        api.requests,
        run.found_late > 0,
    )


class Case(NamedTuple):
    """What is tried: an order, what the store knows before, and the setting."""

    number: int
    order: str
    known: bool
    paging: Paging


class Outcome(NamedTuple):
    """What one run came to; `lost`: a record that stood all along is not in the store."""

    plain_lost: bool
    lost: bool
    passes: int
    requests: int
    unsettled: bool


def cases(settings: Sequence[Paging]) -> Iterator[Case]:
    """Every order, from an empty store and from one that knows last night, and each setting."""
    for number, each in enumerate(product(ORDERS, (False, True), settings)):
        yield Case(number, *each)


def tried(case: Case, runs: int) -> list[Outcome]:
    """So many seeded runs of a case."""
    clock = [_T0]
    with TemporaryDirectory() as folder:
        put_new_state(Path(folder))
        with Store.open("sqlite:///state.db", Path(folder), lambda: clock[0]) as store:
            return [night(store, clock, seed, case) for seed in range(runs)]


def main(runs: int, settings: Sequence[Paging]) -> None:
    """Print the table that `docs/paging.md` shows."""
    sys.stdout.write(
        "| order | listing | setting | a plain reader loses | zimun-sync loses | passes | requests "
        "| unsettled |\n|---|---|---|---|---|---|---|---|\n"
    )
    for case in cases(settings):
        found = tried(case, runs)
        shares = [sum(each[at] for each in found) / runs for at in range(5)]
        first = "every later" if case.known else "the first"
        sys.stdout.write(
            f"| {case.order} | {first} | `{case.paging}` | {shares[0]:.1%} | {shares[1]:.1%} "
            f"| {shares[2]:.2f} | {shares[3]:.1f} | {shares[4]:.1%} |\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), [Paging(each) for each in sys.argv[2:]])
