"""The world behind the API: a business, its customers and its bookings, without any HTTP."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from zimun_sync.errors import ConfigError
from zimun_sync.sandbox.world.bookings import Bookings, Event
from zimun_sync.sandbox.world.busy import Busy, Interval
from zimun_sync.sandbox.world.catalog import make_catalog
from zimun_sync.sandbox.world.clock import Now, utc_now
from zimun_sync.sandbox.world.collection import Collection
from zimun_sync.sandbox.world.facts import Facts, read_facts
from zimun_sync.sandbox.world.history import History
from zimun_sync.sandbox.world.lanes import make_span, staff_needed
from zimun_sync.sandbox.world.people import contact_fragments
from zimun_sync.sandbox.world.problem import invalid
from zimun_sync.sandbox.world.truth import checksums

#: How many of the latest e-mails are kept.
_MAILS_KEPT = 1000

Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """Which world to make; equal options make equal worlds.

    Args:
        appointments: how many are generated.
        seed: another number, another world.
        today: the day that divides past from future, UTC; default: the clock's.
        data: a file of NDJSON whose lines are served as appointments, byte for byte, in place
            of generated ones.
    """

    appointments: int = 3000
    seed: int = 1
    today: date | None = None
    data: Path | None = None


class World:
    """One organization and everything it has.

    Args:
        options: which world.
        now: the clock that holds expire by.

    Raises:
        ConfigError: the data file cannot be read or a line of it is not JSON.
    """

    def __init__(self, options: WorldOptions, now: Now = utc_now) -> None:
        self._now = now
        self._rng = Random(options.seed)
        self._listeners: list[Listener] = []
        self._busy = Busy()
        self.mails: deque[dict[str, str]] = deque(maxlen=_MAILS_KEPT)
        span = make_span(options.today or now().date(), options.appointments)
        self.catalog = make_catalog(
            self._rng,
            staff_count=staff_needed(span, options.appointments),
            first=span.first,
            last=span.last,
        )
        self.appointments = Collection()
        self.collections = self._make_collections()
        if options.data is not None:
            self._load(options.data)
        elif options.appointments > 0:
            contacts = contact_fragments(self._rng, max(40, options.appointments // 6))
            history = History(self.catalog, contacts, span, self._rng)
            self._generate(history, options.appointments)
        self.bookings = Bookings(
            self.catalog,
            self.appointments,
            self._busy,
            now=now,
            rng=self._rng,
            publish=self._publish,
        )

    def subscribe(self, listener: Listener) -> None:
        """Has a listener told of every event, in the order they happen."""
        self._listeners.append(listener)

    def put_appointment(self, key: str, item: bytes) -> None:
        """Lists a record as it is, right or wrong, in place of the one with this identifier.

        No event is published: it is a change that nobody was told of.

        Raises:
            ApiProblem: 422, the item is not JSON, which would spoil a whole page.
        """
        try:
            facts = read_facts(item)
        except msgspec.DecodeError as error:
            raise invalid(f"The body is not JSON: {error}.") from None
        self._free(key)
        self.appointments.put(key, item, facts.updated)
        if facts.interval is not None:
            self._busy.add(facts.subjects, Interval(*facts.interval, key))

    def remove_appointment(self, key: str) -> bool:
        """Deletes a record without an event and frees its slot; False when there is none."""
        self._free(key)
        return self.appointments.remove(key)

    def checksums(self) -> dict[str, Any]:
        """The truth about the listed appointments, see `zimun_sync.sandbox.world.truth`."""
        found = checksums(self.appointments.identified())
        return found | {"unidentified": self.appointments.unidentified}

    def _free(self, key: str) -> None:
        item = self.appointments.get(key)
        if item is not None:
            self._busy.remove(read_facts(item).subjects, key)

    def _publish(self, event: Event) -> None:
        address = msgspec.json.decode(event.appointment).get("contact_email")
        if isinstance(address, str):
            about = read_facts(event.appointment).key or ""
            self.mails.append({"to": address, "about": about, "event": event.type})
        for listener in self._listeners:
            listener(event)

    def _make_collections(self) -> Mapping[str, Collection]:
        catalog = self.catalog
        records = {
            "services": catalog.services,
            "staff": catalog.staff,
            "resources": catalog.resources,
            "locations": catalog.locations,
        }
        collections = {name: _encoded(content) for name, content in records.items()}
        return collections | {"appointments": self.appointments}

    def _generate(self, history: History, count: int) -> None:
        append = self.appointments.append
        for made in history.appointments(count):
            append(made.key, made.item, made.updated * 1_000_000)
            if made.busy:
                interval = Interval(made.start, made.start + made.minutes * 60, made.key)
                self._busy.add(made.offer.subjects, interval)

    def _load(self, path: Path) -> None:
        for number, line in enumerate(_lines(path), start=1):
            if not line:
                continue
            try:
                facts = read_facts(line)
            except msgspec.DecodeError as error:
                raise ConfigError(
                    f"{path}, line {number}: not JSON: {error}.",
                    hint="The data file holds one JSON value on each line.",
                ) from None
            self._adopt(facts, line)

    def _adopt(self, facts: Facts, item: bytes) -> None:
        key = facts.key
        self.appointments.append(key, item, facts.updated)
        if key and facts.interval and facts.interval[1] > self._now().timestamp():
            self._busy.add(facts.subjects, Interval(*facts.interval, key))


def _encoded(records: Mapping[str, dict[str, Any]]) -> Collection:
    collection = Collection()
    for key, record in records.items():
        item = msgspec.json.encode(record)
        collection.append(key, item, read_facts(item).updated)
    return collection


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            for line in file:
                yield line.rstrip(b"\r\n")
    except OSError as error:
        raise ConfigError(
            f"The data file {path} cannot be read: {error.strerror}.",
            hint="Name a file of NDJSON that you may read.",
        ) from error
