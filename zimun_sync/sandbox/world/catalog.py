"""The business itself: organization, locations, services, staff and resources."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from zimun_sync.sandbox.world.people import make_person

Json = dict[str, Any]

ORGANIZATION_ID = "o_morgenlicht"

_SUNDAY = 6
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CREATED = "2019-04-01T08:00:00Z"
_OPEN_WEEKDAY, _OPEN_SATURDAY = ("09:00", "19:30"), ("10:00", "16:00")

BERLIN, NEW_YORK = "l_berlin", "l_newyork"
_B, _N, _BOTH = (BERLIN,), (NEW_YORK,), (BERLIN, NEW_YORK)

#: id, name, minutes, price, currency, locations, whether it takes place in a room.
_SERVICES = (
    ("s_cut", "Haircut & Finish", 45, "45.00", "EUR", _BOTH, False),
    ("s_color", "Colour, Cut and Care", 90, "128.50", "EUR", _B, False),
    ("s_beard", "Bart & Kontur", 20, "19.90", "EUR", _B, False),
    ("s_massage60", "Tiefengewebsmassage, 60 min", 60, "79.00", "EUR", _BOTH, True),
    ("s_massage30", "Shoulder & Neck Massage", 30, "42.50", "EUR", _BOTH, True),
    ("s_facial", 'Facial "Pure"', 75, "95.95", "USD", _N, True),
    ("s_manicure", "Manicure, classic", 40, "38.00", "USD", _N, False),
    ("s_physio", "Physiotherapie", 25, "33.33", "EUR", _B, True),
    ("s_yoga", "ヨガ Private Class", 60, "70.00", "USD", _N, True),
    ("s_consult", "First Consultation", 15, "0.00", "EUR", _BOTH, False),
    ("s_bridal", "Bridal Styling — Probe", 90, "1250.00", "EUR", _B, False),
    ("s_makeup", "Make-up", 50, "64.10", "USD", _N, False),
)

#: id, name, kind, location: what customers may book on its own, without service or staff.
_BOOKABLE = (
    ("r_studio_b", "Studio Hofseite", "studio", BERLIN),
    ("r_sauna_b", "Sauna", "room", BERLIN),
    ("r_studio_n", "Loft Studio", "studio", NEW_YORK),
    ("r_camera_n", "Portrait Camera Kit", "equipment", NEW_YORK),
)

#: Days of the year on which the locations of a country are closed.
_HOLIDAYS = {
    "DE": {
        "01-01": "Neujahr",
        "05-01": "Tag der Arbeit",
        "10-03": "Tag der Deutschen Einheit",
        "12-25": "1. Weihnachtstag",
        "12-26": "2. Weihnachtstag",
    },
    "US": {
        "01-01": "New Year's Day",
        "07-04": "Independence Day",
        "11-11": "Veterans Day",
        "12-25": "Christmas Day",
    },
}


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything that changes seldom, as the API's JSON objects.

    Args:
        organization: the one organization.
        locations: by location id, in listing order; likewise the others.
        rooms: resource id by the staff id of the person who works in it.
        bookable: resources that are booked on their own.
    """

    organization: Json
    locations: dict[str, Json]
    services: dict[str, Json]
    staff: dict[str, Json]
    resources: dict[str, Json]
    rooms: dict[str, str]
    bookable: tuple[str, ...]

    def zone(self, location_id: str) -> ZoneInfo:
        """The time zone of a location; the organization's for one that nobody knows."""
        place = self.locations.get(location_id, self.organization)
        return ZoneInfo(place["timezone"])

    def staff_for(self, service_id: str, location_id: str) -> list[str]:
        """Who gives a service at a location."""
        return [
            staff_id
            for staff_id, person in self.staff.items()
            if person["location_id"] == location_id and service_id in person["service_ids"]
        ]


def make_catalog(rng: Random, *, staff_count: int, first: date, last: date) -> Catalog:
    """A business with two locations in two time zones.

    Args:
        rng: where the variety comes from.
        staff_count: how many people work there; they alternate between the locations.
        first: the first day that needs holidays.
        last: the last one.
    """
    locations = _locations(first, last)
    services = {row[0]: _service(row) for row in _SERVICES}
    staff = {
        person["staff_id"]: person
        for person in (_staff(rng, number, services) for number in range(1, staff_count + 1))
    }
    rooms = {staff_id: f"r_room_{staff_id.removeprefix('st_')}" for staff_id in staff}
    resources = {row[0]: _resource(*row) for row in _BOOKABLE} | {
        room: _room(room, staff[staff_id]) for staff_id, room in rooms.items()
    }
    bookable = tuple(row[0] for row in _BOOKABLE)
    return Catalog(_organization(), locations, services, staff, resources, rooms, bookable)


def in_a_room(service_id: str) -> bool:
    """Whether a service takes place in the staff member's room, which it then occupies."""
    return next(row[6] for row in _SERVICES if row[0] == service_id)


def holiday_map(country: str, first: date, last: date) -> dict[str, str]:
    """Days on which a location of this country is closed, by ISO date."""
    years = range(first.year, last.year + 1)
    days = _HOLIDAYS[country].items()
    return {f"{year}-{day}": name for year in years for day, name in days}


def open_days(location: Json, first: date, last: date) -> list[date]:
    """The days from `first` to `last` on which a location is neither closed nor on holiday."""
    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    return [
        day
        for day in days
        if day.weekday() != _SUNDAY and day.isoformat() not in location["holidays"]
    ]


def _stamped(fields: Json, updated_at: str = _CREATED) -> Json:
    return fields | {"created_at": _CREATED, "updated_at": updated_at}


def _organization() -> Json:
    fields = {
        "organization_id": ORGANIZATION_ID,
        "name": "Morgenlicht Studios",
        "timezone": "Europe/Berlin",
        "country": "DE",
        "currency": "EUR",
    }
    return _stamped(fields)


def _locations(first: date, last: date) -> dict[str, Json]:
    berlin = {
        "location_id": BERLIN,
        "organization_id": ORGANIZATION_ID,
        "name": "Morgenlicht Berlin",
        "address": _address("Beispielstraße 12", "Berlin", "10115", "DE"),
        "timezone": "Europe/Berlin",
        "email": "berlin@example.com",
        "phone": "030 23125 100",
        "holidays": holiday_map("DE", first, last),
    }
    new_york = {
        "location_id": NEW_YORK,
        "organization_id": ORGANIZATION_ID,
        "name": "Morgenlicht New York",
        "address": _address('45 Example Avenue, "Loft" 3', "New York", "10001", "US"),
        "timezone": "America/New_York",
        "email": "newyork@example.com",
        "phone": "(212) 555-0100",
        "holidays": holiday_map("US", first, last),
    }
    return {BERLIN: _stamped(berlin), NEW_YORK: _stamped(new_york)}


def _address(street: str, city: str, postal_code: str, country: str) -> Json:
    return {"street": street, "city": city, "postal_code": postal_code, "country": country}


def _service(row: tuple[str, str, int, str, str, tuple[str, ...], bool]) -> Json:
    service_id, name, minutes, amount, currency, places, in_room = row
    fields = {
        "service_id": service_id,
        "organization_id": ORGANIZATION_ID,
        "name": name,
        "description": "In a quiet room of its own." if in_room else None,
        "duration": minutes,
        "price": {"amount": amount, "currency": currency},
        "location_ids": list(places),
        "active": True,
    }
    return _stamped(fields)


def _staff(rng: Random, number: int, services: dict[str, Json]) -> Json:
    location_id = BERLIN if number % 2 else NEW_YORK
    offered = [key for key, service in services.items() if location_id in service["location_ids"]]
    person = make_person(rng, number)
    day_off = WEEKDAYS[number % 5]
    fields = {
        "staff_id": f"st_{number:03d}",
        "organization_id": ORGANIZATION_ID,
        "location_id": location_id,
        "name": person.name,
        "email": f"staff{number}@example.org",
        "phone": person.phone,
        # The first person of each place gives everything, so that every service has somebody.
        "service_ids": offered if number <= 2 else sorted(rng.sample(offered, 5)),  # noqa: PLR2004
        "working_hours": _working_hours(day_off),
        "active": True,
    }
    return _stamped(fields)


def _working_hours(day_off: str) -> Json:
    hours: Json = {day: [_interval(_OPEN_WEEKDAY)] for day in WEEKDAYS[:5] if day != day_off}
    return hours | {"sat": [_interval(_OPEN_SATURDAY)]}


def _interval(hours: tuple[str, str]) -> Json:
    return {"start": hours[0], "end": hours[1]}


def _resource(resource_id: str, name: str, kind: str, location_id: str) -> Json:
    fields = {
        "resource_id": resource_id,
        "organization_id": ORGANIZATION_ID,
        "location_id": location_id,
        "name": name,
        "kind": kind,
        "active": True,
    }
    return _stamped(fields)


def _room(resource_id: str, person: Json) -> Json:
    return _resource(resource_id, f"Room {resource_id[-3:]}", "room", person["location_id"])
