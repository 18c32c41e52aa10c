"""Holds and bookings: one slot, one owner."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec

from zimun_sync.sandbox.world.busy import Busy
from zimun_sync.sandbox.world.catalog import ORGANIZATION_ID, Catalog
from zimun_sync.sandbox.world.clock import Now
from zimun_sync.sandbox.world.collection import Collection
from zimun_sync.sandbox.world.facts import BUSY
from zimun_sync.sandbox.world.orders import ChangeOrder, ConfirmOrder, HoldOrder
from zimun_sync.sandbox.world.problem import ApiProblem, invalid, not_found
from zimun_sync.sandbox.world.schedule import Schedule, Slot, whole_minute
from zimun_sync.sandbox.world.stamps import local_stamp, parse_instant, precise_stamp

#: How long a hold blocks its slot.
HOLD_LIFE = timedelta(minutes=10)
#: Statuses that are the end of the matter.
_OVER = ("completed", "no_show")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot that waits for its customer until `expires_at`."""

    hold_id: str
    slot: Slot
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an appointment.

    Args:
        type: `appointment.created`, `appointment.updated` or `appointment.cancelled`.
        at: when.
        appointment: the whole appointment afterwards, as JSON.
    """

    type: str
    at: datetime
    appointment: bytes


class Bookings:
    """Takes and frees slots and keeps the appointments.

    Args:
        catalog: the business.
        appointments: where they are kept.
        busy: what is taken.
        now: the clock.
        rng: where identifiers come from.
        publish: is told of each event.
    """

    def __init__(
        self,
        catalog: Catalog,
        appointments: Collection,
        busy: Busy,
        *,
        now: Now,
        rng: Random,
        publish: Callable[[Event], None],
    ) -> None:
        self._catalog = catalog
        self._appointments = appointments
        self._busy = busy
        self._now = now
        self._rng = rng
        self._publish = publish
        self._schedule = Schedule(catalog, busy, now)
        self._holds: dict[str, Hold] = {}
        self._expired: set[str] = set()

    @property
    def schedule(self) -> Schedule:
        """Free slots, as of now."""
        self._expire()
        return self._schedule

    def hold(self, order: HoldOrder) -> Json:
        """Blocks a slot for ten minutes.

        Raises:
            ApiProblem: 403, another organization; 409, the slot is taken; 422, it is none.
        """
        if order.organization_id != ORGANIZATION_ID:
            raise ApiProblem(403, "wrong-organization", "The token is for another organization.")
        slot = self.schedule.choose(order)
        hold = Hold(f"h_{self._rng.getrandbits(64):016x}", slot, self._now() + HOLD_LIFE)
        self._holds[hold.hold_id] = hold
        self._busy.add(slot.subjects, slot.interval(hold.hold_id))
        return self._describe(hold)

    def release(self, hold_id: str) -> None:
        """Frees a held slot.

        Raises:
            ApiProblem: 404, there is no such hold; 410, it has expired.
        """
        self._take_back(self._live(hold_id))

    def confirm(self, order: ConfirmOrder) -> bytes:
        """Turns a hold into a confirmed appointment and returns it.

        Raises:
            ApiProblem: 404, there is no such hold; 410, it has expired.
        """
        hold = self._live(order.hold_id)
        self._take_back(hold)
        key = f"a_{self._rng.getrandbits(48):012x}"
        slot = hold.slot
        self._busy.add(slot.subjects, slot.interval(key))
        record = self._new_record(key, slot, order)
        return self._store(key, record, "appointment.created")

    def change(self, key: str, order: ChangeOrder) -> bytes:
        """Reschedules, cancels or edits an appointment and returns it.

        Cancelling what is cancelled already changes nothing.

        Raises:
            ApiProblem: 404, there is none; 409, the new slot is taken; 422, not possible.
        """
        record = self._record(key)
        if order == ChangeOrder():
            raise invalid("There is nothing to change.")
        if order.status == "cancelled":
            if order != ChangeOrder(status="cancelled"):
                raise invalid("An appointment is either cancelled or changed.")
            return self._cancel(key, record)
        if order.appointment_time or order.appointment_duration:
            self._move(key, record, order)
        for name in ("contact_name", "contact_email", "contact_phone", "notes"):
            value = getattr(order, name)
            if value is not None:
                record[name] = value
        return self._store(key, record, "appointment.updated")

    def _record(self, key: str) -> Json:
        item = self._appointments.get(key)
        if item is None:
            raise not_found(f"appointment {key!r}")
        record = msgspec.json.decode(item)
        if not isinstance(record, dict):
            raise invalid(f"Appointment {key!r} is not an object and cannot be changed.")
        return record

    def _cancel(self, key: str, record: Json) -> bytes:
        if record.get("status") == "cancelled":
            return msgspec.json.encode(record)
        if record.get("status") in _OVER:
            raise invalid(f"An appointment that is {record['status']} cannot be cancelled.")
        self._busy.remove(_subjects(record), key)
        record |= {"status": "cancelled", "rsvp": "no"}
        return self._store(key, record, "appointment.cancelled")

    def _move(self, key: str, record: Json, order: ChangeOrder) -> None:
        if record.get("status") not in BUSY:
            raise invalid(f"An appointment that is {record.get('status')} cannot be rescheduled.")
        start = order.appointment_time or parse_instant(record.get("appointment_time"))
        minutes = order.appointment_duration or record.get("appointment_duration")
        if start is None or not isinstance(minutes, int):
            raise invalid("Give both appointment_time and appointment_duration.")
        slot = _moved(record, whole_minute(start), minutes)
        self._expire()
        self._schedule.check_move(slot, key)
        self._busy.remove(slot.subjects, key)
        self._busy.add(slot.subjects, slot.interval(key))
        record |= {"appointment_time": self._wall(slot), "appointment_duration": minutes}

    def _store(self, key: str, record: Json, event: str) -> bytes:
        now = self._now()
        record["updated_at"] = precise_stamp(now)
        item = msgspec.json.encode(record)
        self._appointments.put(key, item, int(now.timestamp() * 1_000_000))
        self._publish(Event(event, now, item))
        return item

    def _new_record(self, key: str, slot: Slot, order: ConfirmOrder) -> Json:
        service = self._catalog.services.get(slot.service_id or "")
        return {
            "appointment_id": key,
            "organization_id": ORGANIZATION_ID,
            "location_id": slot.location_id,
            "service_id": slot.service_id,
            "staff_id": slot.staff_id,
            "resource_id": slot.resource_id,
            "appointment_time": self._wall(slot),
            "appointment_duration": slot.minutes,
            "status": "confirmed",
            "contact_name": order.contact_name,
            "contact_email": order.contact_email,
            "contact_phone": order.contact_phone,
            "notes": order.notes,
            "price": service["price"] if service else None,
            "created_at": precise_stamp(self._now()),
            "updated_at": None,
            "booking_code": f"{self._rng.getrandbits(32):08X}",
            "attendance": None,
            "rsvp": None,
        }

    def _describe(self, hold: Hold) -> Json:
        slot = hold.slot
        return {
            "hold_id": hold.hold_id,
            "organization_id": ORGANIZATION_ID,
            "location_id": slot.location_id,
            "service_id": slot.service_id,
            "staff_id": slot.staff_id,
            "resource_id": slot.resource_id,
            "appointment_time": self._wall(slot),
            "appointment_duration": slot.minutes,
            "expires_at": precise_stamp(hold.expires_at),
        }

    def _wall(self, slot: Slot) -> str:
        return local_stamp(slot.start, self._catalog.zone(slot.location_id))

    def _live(self, hold_id: str) -> Hold:
        self._expire()
        if hold_id in self._expired:
            raise ApiProblem(410, "hold-expired", "The hold has expired; the slot is free again.")
        hold = self._holds.get(hold_id)
        if hold is None:
            raise not_found(f"hold {hold_id!r}")
        return hold

    def _expire(self) -> None:
        now = self._now()
        for hold in [hold for hold in self._holds.values() if hold.expires_at <= now]:
            self._take_back(hold)
            self._expired.add(hold.hold_id)

    def _take_back(self, hold: Hold) -> None:
        del self._holds[hold.hold_id]
        self._busy.remove(hold.slot.subjects, hold.hold_id)


def _moved(record: Json, start: int, minutes: int) -> Slot:
    return Slot(
        _text(record.get("location_id")) or "",
        _text(record.get("service_id")),
        _text(record.get("staff_id")),
        _text(record.get("resource_id")),
        start,
        minutes,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _subjects(record: Json) -> tuple[str, ...]:
    return _moved(record, 0, 0).subjects
