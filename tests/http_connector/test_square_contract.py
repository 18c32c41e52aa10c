"""The Square recipe passes the contract of remote connectors."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tests.http_connector.conftest import square_settings
from tests.http_connector.harness import FaultySystem, HttpHarness
from tests.http_connector.square import FakeSquare
from tests.http_connector.web import Call
from zimun_sync.remotes.contract import Kind
from zimun_sync.testing.remotes import (
    Lack,
    Lacking,
    RemoteContract,
    SeenAppointment,
    SeenContact,
)
from zimun_sync.testing.remotes.base import check
from zimun_sync.testing.remotes.bookings import booking_id
from zimun_sync.testing.remotes.rig import RemoteRig

_HOUSE: Final = "TM-HOUSE"
_CREATES: Final = {Kind.CONTACT: "/v2/customers/bulk-create", Kind.APPOINTMENT: "/v2/bookings"}
_READS: Final = ("search", "bulk-retrieve")


def _writes(call: Call) -> bool:
    return call.method != "GET" and not call.path.endswith(_READS)


class SquareSystem(FaultySystem):
    """The seller's view."""

    def __init__(self, fake: FakeSquare) -> None:
        super().__init__(fake, _CREATES, _writes)
        self._square = fake

    def contacts(self) -> Sequence[SeenContact]:
        return [
            SeenContact(
                each["id"],
                each.get("email_address"),
                each.get("phone_number"),
                " ".join(filter(None, (each.get("given_name"), each.get("family_name")))),
            )
            for each in self._square.customers.values()
        ]

    def appointments(self) -> Sequence[SeenAppointment]:
        return [_seen(each) for each in self._square.bookings.values()]

    def add_contact(self, *, name: str, email: str | None = None, phone: str | None = None) -> str:
        given, _, family = name.rpartition(" ")
        fields = {"given_name": given or None, "family_name": family, "email_address": email}
        return self._square.add_customer(**fields, phone_number=phone)

    def add_user(self, email: str, *, active: bool = True) -> str:
        member_id = f"TM-{len(self._square.team)}"
        status = "ACTIVE" if active else "INACTIVE"
        member = {"id": member_id, "email_address": email, "status": status}
        self._square.team[member_id] = member
        return member_id

    def edit(self, kind: Kind, object_id: str, /, **values: Any) -> None:
        if kind is Kind.CONTACT:
            names = {"email": "email_address", "phone": "phone_number", "name": "family_name"}
            if "name" in values:
                self._square.customers[object_id]["given_name"] = None
            record = self._square.customers[object_id]
        else:
            names = {"starts_at": "start_at", "title": "customer_note", "owner": "owner"}
            record = self._square.bookings[object_id]
        for name, value in values.items():
            self._edit(record, names[name], value)
        record["version"] += 1

    def _edit(self, record: dict[str, Any], name: str, value: Any) -> None:
        if name == "owner":
            record["appointment_segments"][0]["team_member_id"] = value or _HOUSE
        else:
            record[name] = value.isoformat() if isinstance(value, datetime) else value

    def delete(self, kind: Kind, object_id: str, /) -> None:
        if kind is Kind.CONTACT:
            del self._square.customers[object_id]
        else:
            del self._square.bookings[object_id]

    def merge(self, loser: str, winner: str, /) -> None:
        raise Lacking

    def swap_account(self) -> str:
        self._square.merchant = "MERCHANT-2"
        self._square.customers.clear()
        self._square.bookings.clear()
        return self._square.merchant


def _seen(booking: Mapping[str, Any]) -> SeenAppointment:
    note = booking.get("seller_note", "")
    segment = booking["appointment_segments"][0]
    start = datetime.fromisoformat(booking["start_at"])
    status = "no_show" if note.endswith(", no-show") else "booked"
    return SeenAppointment(
        booking["id"],
        note.removeprefix("Zimun ").removesuffix(", no-show"),
        start,
        start + timedelta(minutes=segment["duration_minutes"]),
        "cancelled" if booking["status"].startswith("CANCELLED") else status,
        booking.get("customer_id"),
        None if segment["team_member_id"] == _HOUSE else segment["team_member_id"],
        booking.get("customer_note", ""),
    )


def _settings(url: str, **further: Any) -> dict[str, Any]:
    """Each service of the kit has a variation in Square, and its name is the booking's note."""
    appointment = dict(further.pop("appointment", {}))
    fields = {
        "service_variation_id": {
            "from": "service_id",
            "values": {"s_cut": "VAR-CUT", "s_colour": "VAR-COLOUR"},
        },
        "customer_note": "service.name",
        **appointment.pop("fields", {}),
    }
    return square_settings(url, appointment={"fields": fields, **appointment}, **further)


class TestSquare(RemoteContract):
    """Customers in batches, bookings one by one with idempotency keys and versions."""

    lacks = frozenset({Lack.MERGE, Lack.COMPLETED, Lack.ARCHIVE})

    def harness(self, folder: Path, address: str = "") -> HttpHarness:
        fake = None if address else FakeSquare()
        system = SquareSystem(fake) if fake is not None else None
        fields = {"phone": "phone_number", "title": "customer_note"}
        return HttpHarness(fake, system, address, _settings, self.lacks, fields)

    @check()
    def test_a_cancellation_keeps_the_appointment(self, rig: RemoteRig) -> None:
        """Square revives no cancelled booking: one that is booked again is asked about."""
        rig.start()
        rig.book(1)
        rig.sync()
        before = rig.appointment(1)
        rig.book(1, status="cancelled")
        rig.sync()
        cancelled = rig.appointment(1)
        assert cancelled.status == "cancelled"
        assert (cancelled.id, cancelled.contact_id) == (before.id, before.contact_id)
        rig.book(1, status="confirmed", appointment_duration=30)
        rig.sync()
        assert rig.appointment(1) == cancelled
        assert "cancelled booking cannot be changed" in rig.quarantine()[booking_id(1)].message

    def test_zz_every_check_was_made(self, request: pytest.FixtureRequest) -> None:
        """Here again, so that it comes after the check above."""
        super().test_zz_every_check_was_made(request)
