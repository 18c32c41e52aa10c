"""A day of calls: what customers do through the API, and what is corrected behind the desk."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any

from zimun_sync.errors import SlotTaken
from zimun_sync.sandbox import Sandbox
from zimun_sync.sandbox.world import World
from zimun_sync.sandbox.world.catalog import ORGANIZATION_ID
from zimun_sync.sandbox.world.stamps import local_stamp
from zimun_sync.zimun import Contact, Hold, HoldRequest, ZimunClient

Json = dict[str, Any]
#: Nobody else in the world has it, however it is written.
LANDLINE, AS_DIALLED = "+4930901820", "030 / 90 18 20"
WALK_IN = "+4930901821"


class Callers:
    """Customers who use the API, one call after the other; it tells the daemon of each.

    Args:
        client: of the API.
        sandbox: serves it.
    """

    def __init__(self, client: ZimunClient, sandbox: Sandbox) -> None:
        self._client = client
        self._sandbox = sandbox
        self._world = sandbox.world

    def make_a_day_of_calls(self) -> None:
        """Bookings, reschedules and cancellations."""
        open_ones = list(_open(self._world))
        for each in open_ones[:8]:
            self._move(each, -1)
        for each in open_ones[:3]:  # second thoughts
            self._move(each, -4)
        for each in open_ones[6:12]:  # two of them were moved before
            self._cancel(each)
        booked = [self._book(number) for number in range(12)]
        self._move(booked[0], -2)
        self._cancel(booked[1])
        for hours in (2, 20, 23, 30, 49):  # the first three are late
            self._cancel(self._book_the_sauna(hours))

    def _next_millisecond(self) -> None:
        """The API's times tell no two changes within one millisecond apart."""
        self._sandbox.clock.advance(0.002)

    def _cancel(self, record: Json) -> None:
        self._next_millisecond()
        self._client.cancel(record["appointment_id"])

    def _move(self, record: Json, which: int) -> None:
        self._next_millisecond()
        free = self._client.availability(
            record["service_id"],
            days_ahead=10,
            staff_id=record["staff_id"],
            location_id=record["location_id"],
        )
        self._client.reschedule(record["appointment_id"], free.slots[which].time)

    def _book(self, number: int) -> Json:
        """Every third time the same customer, who types the address as it comes."""
        self._next_millisecond()
        services = list(self._world.catalog.services.values())
        service = services[number % len(services)]
        place = service["location_ids"][0]
        slots = self._client.availability(
            service["service_id"], days_ahead=10, location_id=place
        ).slots
        held = self._client.hold(
            HoldRequest(
                organization_id=ORGANIZATION_ID,
                appointment_time=slots[len(slots) // 2].time,
                appointment_duration=service["duration"],
                service_id=service["service_id"],
                location_id=place,
            )
        )
        address = f"caller{number}@example.com"
        if number % 3 == 0:
            address = "Regular@Example.com" if number % 2 else "regular@example.com"
        return self._confirm(held, f"Caller {number}", address)

    def _book_the_sauna(self, hours: int) -> Json:
        """A resource can be booked day and night: the first free minutes from then on."""
        self._next_millisecond()
        now = self._sandbox.clock.now().replace(second=0, microsecond=0)
        begin = now + timedelta(hours=hours, minutes=1)
        for late in count(0, 5):
            wanted = HoldRequest(
                organization_id=ORGANIZATION_ID,
                appointment_time=begin + timedelta(minutes=late),
                appointment_duration=30,
                resource_id="r_sauna_b",
            )
            with suppress(SlotTaken):
                return self._confirm(self._client.hold(wanted), "Guest", "guest@example.com")
        raise AssertionError

    def _confirm(self, held: Hold, name: str, address: str) -> Json:
        contact = Contact(contact_name=name, contact_email=address)
        made = self._client.confirm(held.hold_id, contact)
        item = self._world.appointments.get(made.appointment_id)
        assert item is not None
        found: Json = json.loads(item)
        return found


def corrections_behind_the_desk(world: World, note: Callable[[Json], None]) -> tuple[str, ...]:
    """Changes that no event tells of, so that only the next pull finds them.

    Args:
        world: is changed.
        note: is told of each new version.

    Returns:
        the identifiers of the appointments that were deleted.
    """

    def put(record: Json, **fields: object) -> None:
        changed = record | fields | {"updated_at": datetime.now(UTC).isoformat()}
        world.put_appointment(changed["appointment_id"], json.dumps(changed).encode())
        note(changed)

    later, dearer, noted, *gone = islice(_open(world), 20, 26)
    put(later, appointment_time=_a_day_later(world, later))
    put(dearer, price={"amount": "99.90", "currency": "EUR"})
    put(noted, notes="Rang to confirm.")
    attended, missed = (_first_that_is(world, status) for status in ("completed", "no_show"))
    put(attended, status="no_show")
    put(missed, status="completed")
    for record in _callers(world):
        put(record)
    for record in gone:
        world.remove_appointment(record["appointment_id"])
    return tuple(record["appointment_id"] for record in gone)


def _records(world: World) -> Iterator[Json]:
    for item in world.appointments.identified():
        yield json.loads(item)


def _open(world: World) -> Iterator[Json]:
    """Services booked for a later day, in listing order."""
    soon = datetime.now(UTC) + timedelta(days=2)
    for record in _records(world):
        is_open = record["status"] in {"confirmed", "scheduled"} and record["service_id"]
        if is_open and datetime.fromisoformat(record["appointment_time"]) > soon:
            yield record


def _first_that_is(world: World, status: str) -> Json:
    return next(record for record in _records(world) if record["status"] == status)


def _a_day_later(world: World, record: Json) -> str:
    start = datetime.fromisoformat(record["appointment_time"]) + timedelta(days=1)
    return local_stamp(int(start.timestamp()), world.catalog.zone(record["location_id"]))


def _callers(world: World) -> Iterator[Json]:
    """People known by their phone: one whose address is known too, and one who gave no other."""
    template = next(_open(world)) | {"staff_id": None, "resource_id": None, "contact_email": None}
    known = (
        ("a_caller_1", " Landline@example.com", LANDLINE),
        ("a_caller_2", None, AS_DIALLED),
        ("a_caller_3", None, WALK_IN),
        ("a_caller_4", None, WALK_IN),
        ("a_caller_5", None, None),
    )
    for number, (key, address, phone) in enumerate(known):
        start = datetime.now(UTC) + timedelta(days=20 + number)
        yield template | {
            "appointment_id": key,
            "location_id": "l_berlin",
            "appointment_time": start.replace(microsecond=0).isoformat(),
            "created_at": datetime.now(UTC).isoformat(),
            "contact_email": address,
            "contact_phone": phone,
        }
