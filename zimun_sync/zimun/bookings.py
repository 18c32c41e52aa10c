"""Booking: availability, hold, confirm, reschedule, cancel."""

from datetime import datetime
from typing import Any

import msgspec

from zimun_sync.zimun.answers import decode
from zimun_sync.zimun.api import AVAILABILITY, Api, below, nothing, typed
from zimun_sync.zimun.models import (
    Appointment,
    Availability,
    Contact,
    Hold,
    HoldRequest,
    require_offset,
)
from zimun_sync.zimun.outcome import Purpose
from zimun_sync.zimun.wire import Reply

_availability = typed(Availability)
_hold = typed(Hold)
_appointment = typed(Appointment)
_APPOINTMENT = msgspec.json.Decoder(Appointment)


class Bookings(Api):
    """Calls that take, move and free slots.

    Each takes an `idempotency_key`: the API does a call with a key it has seen only once. By
    default each call gets its own, which its retries share; give one to make a call safe to
    repeat after a crash.
    """

    def availability(
        self,
        service_id: str,
        *,
        days_ahead: int = 7,
        staff_id: str | None = None,
        location_id: str | None = None,
    ) -> Availability:
        """Free slots of a service within so many days from today, and the holidays.

        Args:
            service_id: the service.
            days_ahead: how far to look.
            staff_id: look at one staff member only.
            location_id: needed where the organization has several locations.
        """
        wanted = {"staff_id": staff_id, "location_id": location_id}
        query = {"service_id": service_id, "days_ahead": str(days_ahead)}
        query |= {name: value for name, value in wanted.items() if value is not None}
        path = self.settings.paths.availability
        return self._get(path, _availability, query, scope=AVAILABILITY)

    def hold(self, request: HoldRequest, *, idempotency_key: str | None = None) -> Hold:
        """Keep a slot free for 10 minutes.

        Raises:
            SlotTaken: someone else has it.
            RequestRefused: the API cannot make sense of the request.
        """
        body = msgspec.to_builtins(request, builtin_types=(datetime,))
        return self._send(
            "POST", "/appointments/hold", body, _hold, idempotency_key, purpose=Purpose.BOOKING
        )

    def release_hold(self, hold_id: str) -> None:
        """Give a held slot back.

        Raises:
            NotFound: the hold expired, was confirmed or never was.
        """
        path = below("/appointments/hold", hold_id)
        if self.settings.release_style == "delete":
            self._delete(path)
        else:
            self._send("POST", f"{path}/release", {}, nothing, None)

    def confirm(
        self, hold_id: str, contact: Contact, *, idempotency_key: str | None = None
    ) -> Appointment:
        """Turn a hold into an appointment.

        Raises:
            SlotTaken: the hold expired and someone else has the slot.
            NotFound: the hold is gone.
        """
        body = {"hold_id": hold_id, **msgspec.to_builtins(contact)}
        return self._send(
            "POST",
            "/appointments/confirm",
            body,
            _appointment,
            idempotency_key,
            purpose=Purpose.BOOKING,
        )

    def reschedule(
        self,
        appointment_id: str,
        appointment_time: datetime,
        *,
        idempotency_key: str | None = None,
    ) -> Appointment:
        """Move an appointment.

        Args:
            appointment_id: which one.
            appointment_time: the new start; it needs an offset.
            idempotency_key: see the class.

        Raises:
            SlotTaken: the new time is not free.
            NotFound: there is no such appointment.
            ValueError: the time has no offset.
        """
        fields = {"appointment_time": require_offset(appointment_time)}
        return self._change(appointment_id, "reschedule", fields, idempotency_key)

    def cancel(self, appointment_id: str, *, idempotency_key: str | None = None) -> Appointment:
        """Cancel an appointment; the API tells the customer.

        Raises:
            NotFound: there is no such appointment.
        """
        fields = {"status": "cancelled"} if self.settings.change_style == "patch" else {}
        return self._change(appointment_id, "cancel", fields, idempotency_key)

    def _change(
        self, appointment_id: str, verb: str, fields: dict[str, Any], key: str | None
    ) -> Appointment:
        def parse(reply: Reply) -> Appointment:
            if not reply.body:  # 204: the change was made, and there is nothing to add
                return Appointment(appointment_id=appointment_id)
            return decode(reply.body, reply.content_type, _APPOINTMENT)

        appointments = self.settings.paths.appointments
        if self.settings.change_style == "patch":
            path = below(appointments, appointment_id)
            return self._send("PATCH", path, fields, parse, key, purpose=Purpose.BOOKING)
        body = {self.settings.identifier_field: appointment_id, **fields}
        path = f"{appointments}/{verb}"
        return self._send("POST", path, body, parse, key, purpose=Purpose.BOOKING)
