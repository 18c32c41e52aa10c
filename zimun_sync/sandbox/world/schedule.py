"""When the business can be booked: working hours, holidays, and what is still free."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from zimun_sync.sandbox.world.busy import Busy, Interval
from zimun_sync.sandbox.world.catalog import WEEKDAYS, Catalog, in_a_room
from zimun_sync.sandbox.world.clock import Now
from zimun_sync.sandbox.world.orders import HoldOrder
from zimun_sync.sandbox.world.problem import invalid, taken
from zimun_sync.sandbox.world.stamps import local_stamp

#: Slots begin every half hour of a working day.
_STEP = 30 * 60
#: How far ahead availability looks at most, days.
MAX_DAYS_AHEAD = 60


@dataclass(frozen=True, slots=True)
class Slot:
    """A stretch of time for something to take place; `start` in epoch seconds."""

    location_id: str
    service_id: str | None
    staff_id: str | None
    resource_id: str | None
    start: int
    minutes: int

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who and what it keeps busy."""
        return tuple(name for name in (self.staff_id, self.resource_id) if name is not None)

    def interval(self, owner: str = "") -> Interval:
        """Its time, taken by `owner`."""
        return Interval(self.start, self.start + self.minutes * 60, owner)


@dataclass(frozen=True, slots=True)
class Question:
    """What `GET /availability` asks."""

    service_id: str
    days_ahead: int
    staff_id: str | None = None
    location_id: str | None = None


class Schedule:
    """Finds slots; takes none.

    Args:
        catalog: the business.
        busy: what is taken.
        now: the clock; nothing begins in the past.
    """

    def __init__(self, catalog: Catalog, busy: Busy, now: Now) -> None:
        self._catalog = catalog
        self._busy = busy
        self._now = now

    def availability(self, question: Question) -> dict[str, Any]:
        """Free slots from now to the end of the last day asked for, and the holidays of those days.

        Raises:
            ApiProblem: 422, an unknown service, staff member or location, or one that does not
                go with the others.
        """
        if not 0 < question.days_ahead <= MAX_DAYS_AHEAD:
            raise invalid(f"days_ahead must be from 1 to {MAX_DAYS_AHEAD}.")
        location_id, people = self._offered(
            question.service_id, question.staff_id, question.location_id
        )
        location = self._catalog.locations[location_id]
        days = self._days(location_id, question.days_ahead)
        return {
            "service_id": question.service_id,
            "location_id": location_id,
            "timezone": location["timezone"],
            "slots": self._free_slots(question.service_id, location_id, people, days),
            "holidays": {
                iso: location["holidays"][iso]
                for iso in (day.isoformat() for day in days)
                if iso in location["holidays"]
            },
        }

    def choose(self, order: HoldOrder) -> Slot:
        """The slot that a hold asks for, with somebody who is free to serve it.

        Raises:
            ApiProblem: 422, it cannot be booked at all; 409, it is taken.
        """
        slots = list(self._candidates(order))
        working = [slot for slot in slots if self.check_open(slot)]
        if not working:
            raise invalid("appointment_time is outside working hours or on a holiday.")
        free = (slot for slot in working if not self._busy.clashes(slot.subjects, slot.interval()))
        slot = next(free, None)
        if slot is None:
            raise taken("This slot is held or booked already.")
        return slot

    def check_move(self, slot: Slot, owner: str) -> None:
        """Makes sure that a booking of `owner` can be moved to a slot.

        Raises:
            ApiProblem: 422, it cannot be booked at all; 409, it is taken.
        """
        if not self.check_open(slot):
            raise invalid("appointment_time is outside working hours or on a holiday.")
        if self._busy.clashes(slot.subjects, slot.interval(owner)):
            raise taken("This slot is held or booked already.")

    def check_open(self, slot: Slot) -> bool:
        """Whether the slot's staff member works then; a resource is there day and night.

        Raises:
            ApiProblem: 422, the slot begins in the past.
        """
        if slot.start <= self._now().timestamp():
            raise invalid("appointment_time is in the past.")
        person = self._catalog.staff.get(slot.staff_id or "")
        if person is None:
            return True
        zone = self._catalog.zone(person["location_id"])
        day = datetime.fromtimestamp(slot.start, zone).date()
        end = slot.start + slot.minutes * 60
        shifts = self._shifts(person, day)
        return any(begin <= slot.start and end <= finish for begin, finish in shifts)

    def _candidates(self, order: HoldOrder) -> Iterator[Slot]:
        start = whole_minute(order.appointment_time)
        if order.service_id is None:
            yield self._resource_slot(order, start)
            return
        if order.resource_id is not None:
            raise invalid("resource_id goes with a resource booking, which has no service_id.")
        location_id, people = self._offered(order.service_id, order.staff_id, order.location_id)
        usual: int = self._catalog.services[order.service_id]["duration"]
        for staff_id in people:
            minutes = order.appointment_duration or usual
            yield self._slot(order.service_id, location_id, staff_id, start, minutes)

    def _resource_slot(self, order: HoldOrder, start: int) -> Slot:
        resource = self._catalog.resources.get(order.resource_id or "")
        if resource is None:
            raise invalid("Give a service_id, or a resource_id that exists.")
        if order.staff_id is not None or order.appointment_duration is None:
            raise invalid("A resource booking has an appointment_duration and no staff_id.")
        if order.location_id not in (None, resource["location_id"]):
            raise invalid("resource_id and location_id do not go together.")
        return Slot(
            resource["location_id"],
            None,
            None,
            order.resource_id,
            start,
            order.appointment_duration,
        )

    def _offered(
        self, service_id: str, staff_id: str | None, location_id: str | None
    ) -> tuple[str, list[str]]:
        """Where a service would take place, and who could give it there."""
        service = self._catalog.services.get(service_id)
        if service is None:
            raise invalid(f"There is no service {service_id!r}.")
        if location_id is None:
            person = self._catalog.staff.get(staff_id or "")
            location_id = person["location_id"] if person else service["location_ids"][0]
        people = self._catalog.staff_for(service_id, location_id)
        people = [name for name in people if staff_id in (None, name)]
        if not people:
            raise invalid("service_id, location_id and staff_id do not go together.")
        return location_id, people

    def _days(self, location_id: str, days_ahead: int) -> list[date]:
        today = self._now().astimezone(self._catalog.zone(location_id)).date()
        return [today + timedelta(days=ahead) for ahead in range(days_ahead + 1)]

    def _free_slots(
        self, service_id: str, location_id: str, people: list[str], days: list[date]
    ) -> list[dict[str, Any]]:
        """One slot for each time that somebody is free, in order of time."""
        free: dict[int, Slot] = {}
        for staff_id in people:
            for slot in self._open_slots(service_id, location_id, staff_id, days):
                if not self._busy.clashes(slot.subjects, slot.interval()):
                    free.setdefault(slot.start, slot)
        return [self._describe(free[start]) for start in sorted(free)]

    def _open_slots(
        self, service_id: str, location_id: str, staff_id: str, days: list[date]
    ) -> Iterator[Slot]:
        minutes: int = self._catalog.services[service_id]["duration"]
        earliest = self._now().timestamp()
        for day in days:
            for begin, finish in self._shifts(self._catalog.staff[staff_id], day):
                for start in range(begin, finish - minutes * 60 + 1, _STEP):
                    if start > earliest:
                        yield self._slot(service_id, location_id, staff_id, start, minutes)

    def _slot(
        self, service_id: str, location_id: str, staff_id: str, start: int, minutes: int
    ) -> Slot:
        room = self._catalog.rooms[staff_id] if in_a_room(service_id) else None
        return Slot(location_id, service_id, staff_id, room, start, minutes)

    def _shifts(self, person: dict[str, Any], day: date) -> list[tuple[int, int]]:
        """A person's working times on a day, epoch seconds."""
        location_id = person["location_id"]
        if day.isoformat() in self._catalog.locations[location_id]["holidays"]:
            return []
        zone = self._catalog.zone(location_id)
        hours = person["working_hours"].get(WEEKDAYS[day.weekday()], [])

        def epoch(wall_clock: str) -> int:
            return int(datetime.combine(day, time.fromisoformat(wall_clock), zone).timestamp())

        return [(epoch(shift["start"]), epoch(shift["end"])) for shift in hours]

    def _describe(self, slot: Slot) -> dict[str, Any]:
        zone = self._catalog.zone(slot.location_id)
        return {
            "start": local_stamp(slot.start, zone),
            "end": local_stamp(slot.start + slot.minutes * 60, zone),
            "staff_id": slot.staff_id,
            "location_id": slot.location_id,
        }


def whole_minute(moment: datetime) -> int:
    """A moment in epoch seconds.

    Raises:
        ApiProblem: 422, it has seconds.
    """
    if moment.second or moment.microsecond:
        raise invalid("appointment_time must be a whole minute.")
    return int(moment.timestamp())
