"""The source's side of the kit: a small world of bookings, listed as the Zimun API lists them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from zimun_sync.errors import NotFound
from zimun_sync.zimun import Page

SOURCE: Final = "main"
STREAMS: Final = ("organization", "locations", "services", "staff", "appointments")
#: Long ago, so that what a state's own clock stamps is later.
BEGINNING: Final = datetime(2025, 1, 1, tzinfo=UTC)

_ZONE: Final = "Europe/Vienna"
_ORGANIZATION: Final = {"organization_id": "o_1"}


def booking_of(number: int) -> dict[str, Any]:
    """A booking as the API gives it: somebody's own, in March 2031, with Ana."""
    return {
        "appointment_id": booking_id(number),
        **_ORGANIZATION,
        "location_id": "l_1",
        "service_id": "s_cut",
        "staff_id": "st_ana",
        "appointment_time": f"2031-03-{1 + number % 28:02}T09:45:00+01:00",
        "appointment_duration": 45,
        "status": "confirmed",
        "contact_name": f"Person {number}",
        "contact_email": f"person{number}@example.com",
        "contact_phone": f"+43660{1_000_000 + number}",
    }


def booking_id(number: int) -> str:
    """The id of a booking."""
    return f"a_{number:05d}"


class Bookings:
    """What the API lists; `put` and `remove` are what happens in the booking system.

    Args:
        beginning: its clock, aware UTC; each look at it takes a minute.
    """

    def __init__(self, beginning: datetime = BEGINNING) -> None:
        self._records: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in STREAMS}
        self._clock = beginning
        self._touched: set[str] = set()
        self.put("organization", "o_1", {"organization_id": "o_1", "timezone": _ZONE})
        self.put("locations", "l_1", {"location_id": "l_1", "timezone": _ZONE})
        for service in ("cut", "colour"):
            self._refer("services", "service_id", f"s_{service}", {"name": service.title()})
        for name in ("ana", "ben"):
            email = {"name": name.title(), "email": f"{name}@salon.example.com"}
            self._refer("staff", "staff_id", f"st_{name}", email)

    def book(self, number: int, **changes: Any) -> None:
        """Make a booking, or change one; None takes a field away."""
        before = self._records["appointments"].get(booking_id(number), booking_of(number))
        self.put("appointments", booking_id(number), {**before, **changes})

    def remove(self, number: int) -> None:
        """Let a booking be gone."""
        del self._records["appointments"][booking_id(number)]

    def put(self, stream: str, key: str, record: Mapping[str, Any]) -> None:
        """Set a record; each time it is a later version."""
        stamp = {"updated_at": self._tick().isoformat()}
        kept = {name: value for name, value in record.items() if value is not None}
        self._records[stream][key] = kept | stamp
        self._touched.add(stream)

    def _refer(self, stream: str, field: str, key: str, values: Mapping[str, Any]) -> None:
        self.put(stream, key, {field: key, **_ORGANIZATION, **values})

    def _tick(self) -> datetime:
        self._clock += timedelta(minutes=1)
        return self._clock

    def to_pull(self) -> list[str]:
        """Streams with anything new since this was asked last; appointments in any case."""
        due: list[str] = [
            stream for stream in STREAMS if stream in {*self._touched, "appointments"}
        ]
        self._touched.clear()
        return due

    # -- what a pull asks for ----------------------------------------------------------------

    def page(
        self, stream: str, page_token: str | None = None, params: Mapping[str, str] | None = None
    ) -> Page:
        """A listing of one page."""
        del params
        return self._page(list(self._records[stream].values()), page_token)

    def record(self, stream: str, key: str) -> Page:
        """One record by id."""
        if key not in self._records[stream]:
            raise NotFound(f"There is no {key}.")
        return self._page([self._records[stream][key]], None)

    def _page(self, records: list[dict[str, Any]], page_token: str | None) -> Page:
        now = self._tick()
        items = [msgspec.Raw(json.dumps(record).encode()) for record in records]
        return Page(items, None, page_token, now, now, 0)

    def listing_parameters(self, stream: str, params: Mapping[str, str] | None = None) -> str:
        """The same for every listing of a stream."""
        return f"{stream}?{params or ''}"

    def changed_since(self, moment: datetime) -> dict[str, str]:
        """It only lists everything."""
        del moment
        return {}

    def has_by_id(self, stream: str) -> bool:
        """Appointments can be asked for by id."""
        return stream == "appointments"
