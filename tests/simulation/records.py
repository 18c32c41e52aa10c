"""Appointments as the API shows them, and what a plain reference makes of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

Content = dict[str, Any]

ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")
_NAMES: Final = ("Ana", "Bo", "Cleo", "Dör the Ñandú", "Eve, the 2nd")
_STATUSES: Final = ("confirmed", "scheduled", "Completed", "no-show", "canceled", "walk in")
_CANONICAL: Final = {
    "confirmed": "confirmed",
    "scheduled": "scheduled",
    "Completed": "completed",
    "no-show": "no_show",
    "canceled": "cancelled",
    "walk in": "other",
}
#: What makes a record unreadable.
_POISONS: Final[tuple[Content, ...]] = (
    {"appointment_time": "2026-12-01T09:45:00"},
    {"appointment_time": None},
    {"price": {"amount": "plenty", "currency": "EUR"}},
    {"appointment_duration": "long"},
)


def booked(key: str, chance: Random) -> Content:
    """A new appointment."""
    content: Content = {
        "appointment_id": key,
        "organization_id": "o_1",
        "location_id": chance.choice(("l_1", "l_2")),
        "status": "confirmed",
        "contact_name": chance.choice(_NAMES),
        "contact_email": f"{key}@example.com",
        "contact_phone": f"+4930{chance.randint(1_000_000, 9_999_999)}",
        "price": {"amount": f"{chance.randint(10, 99)}.50", "currency": "EUR"},
    }
    return content | moved(chance)


def moved(chance: Random) -> Content:
    """Another time and length."""
    start = datetime(2026, 12, 1, 7, tzinfo=UTC) + timedelta(minutes=15 * chance.randint(0, 4_000))
    there = start.astimezone(ZoneInfo(chance.choice(ZONES)))
    return {
        "appointment_time": there.isoformat(),
        "appointment_duration": chance.choice((15, 30, 45, 60)),
    }


def edited(chance: Random) -> Content:
    """Fields that a person changes without moving it."""
    return chance.choice(
        (
            {"status": chance.choice(_STATUSES)},
            {"contact_name": chance.choice(_NAMES)},
            {"contact_phone": f"+4989{chance.randint(1_000_000, 9_999_999)}"},
            {"price": {"amount": f"{chance.randint(10, 99)}.05", "currency": "EUR"}},
            {"notes": f"note {chance.randint(1, 9)}"},
        )
    )


def poison(chance: Random) -> Content:
    """Fields that nobody can read."""
    return chance.choice(_POISONS)


def is_readable(content: Mapping[str, Any]) -> bool:
    """Whether a record can be normalized at all."""
    time, price = content["appointment_time"], content["price"]
    return (
        time is not None
        and datetime.fromisoformat(time).tzinfo is not None
        and price["amount"] != "plenty"
        and isinstance(content["appointment_duration"], int)
    )


def reference(content: Mapping[str, Any], zones: Mapping[str, str]) -> Content:
    """What sinks must hold of a readable appointment, by column.

    Args:
        content: as the API shows it.
        zones: IANA zones by location; empty where nobody knows them.
    """
    start = datetime.fromisoformat(content["appointment_time"])
    length = content["appointment_duration"]
    zone = zones.get(content["location_id"])
    there = (start.astimezone(ZoneInfo(zone)) if zone else start).replace(tzinfo=None)
    stamp = content.get("updated_at")
    return {
        "appointment_id": content["appointment_id"],
        "organization_id": content["organization_id"],
        "location_id": content["location_id"],
        "status": _CANONICAL[content["status"]],
        "source_status": content["status"],
        "starts_at": start.astimezone(UTC),
        "ends_at": (start + timedelta(minutes=length)).astimezone(UTC),
        "local_start": there,
        "local_date": there.date(),
        "timezone": zone,
        "duration_minutes": length,
        "contact_name": content["contact_name"],
        "contact_email": content["contact_email"],
        "contact_phone": content["contact_phone"],
        "notes": content.get("notes"),
        "price_amount": Decimal(content["price"]["amount"]),
        "price_currency": "EUR",
        "updated_at": None if stamp is None else datetime.fromisoformat(stamp),
    }
