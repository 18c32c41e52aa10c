"""Records and bookings as the Zimun API gives them, typed for use of the client as a library.

Only identifiers are certain. Everything else may be missing or null, which reads as None, and
fields that nobody knew are passed over; `ZimunClient.pages` gives them all, undecoded.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, cast

import msgspec

#: An instant with its offset; one without is refused, for it says nothing.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable; decoding passes over unknown fields."""


class Price(_Wire, frozen=True, kw_only=True):
    """An exact amount in units of an ISO 4217 currency."""

    amount: Decimal
    currency: str | None = None


class Organization(_Wire, frozen=True, kw_only=True):
    """The business that the credentials belong to; `timezone` is an IANA name."""

    organization_id: str
    name: str | None = None
    timezone: str | None = None
    country: str | None = None
    currency: str | None = None


class Location(_Wire, frozen=True, kw_only=True):
    """A place of business with its own IANA `timezone`."""

    location_id: str
    organization_id: str | None = None
    name: str | None = None
    address: Any = None
    timezone: str | None = None
    email: str | None = None
    phone: str | None = None


class Service(_Wire, frozen=True, kw_only=True):
    """Something that can be booked; `duration` is its usual length, minutes."""

    service_id: str
    organization_id: str | None = None
    name: str | None = None
    description: str | None = None
    duration: float | None = None
    price: Price | None = None
    location_ids: tuple[str, ...] | None = None
    active: bool | None = None


class Staff(_Wire, frozen=True, kw_only=True):
    """Someone who can be booked, at one location."""

    staff_id: str
    organization_id: str | None = None
    location_id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    service_ids: tuple[str, ...] | None = None
    active: bool | None = None


class Resource(_Wire, frozen=True, kw_only=True):
    """A room or a thing that can be booked, at one location."""

    resource_id: str
    organization_id: str | None = None
    location_id: str | None = None
    name: str | None = None
    kind: str | None = None
    active: bool | None = None


class Appointment(_Wire, frozen=True, kw_only=True):
    """A booking.

    `appointment_id` is filled from whichever of `appointment_id`, `booking_id` and `id` the API
    sends; an answer with none of them is malformed. `appointment_duration` is in minutes. A
    resource booking has no service and no staff member.
    """

    appointment_id: str = ""
    booking_id: str | None = None
    id: str | None = None
    organization_id: str | None = None
    location_id: str | None = None
    service_id: str | None = None
    staff_id: str | None = None
    resource_id: str | None = None
    appointment_time: Instant | None = None
    appointment_duration: float | None = None
    status: str | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    contact_phone: str | None = None
    notes: str | None = None
    price: Price | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None

    def __post_init__(self) -> None:
        _identify(self, "appointment_id", self.appointment_id or self.booking_id or self.id)


class Hold(_Wire, frozen=True, kw_only=True):
    """A slot kept free for 10 minutes, until it is confirmed, released or `expires_at`."""

    hold_id: str
    expires_at: Instant | None = None


class HoldRequest(_Wire, frozen=True, kw_only=True, omit_defaults=True):
    """What to hold.

    Args:
        organization_id: the business, `o_…`.
        appointment_time: the start; it needs an offset.
        appointment_duration: length, minutes.
        service_id: the service, unless a resource alone is booked.
        staff_id: a certain staff member.
        resource_id: a certain resource.
        location_id: needed where the organization has several locations.
    """

    organization_id: str
    appointment_time: datetime
    appointment_duration: int
    service_id: str | None = None
    staff_id: str | None = None
    resource_id: str | None = None
    location_id: str | None = None

    def __post_init__(self) -> None:
        require_offset(self.appointment_time)


class Contact(_Wire, frozen=True, kw_only=True, omit_defaults=True):
    """Whom an appointment is for."""

    contact_name: str
    contact_email: str
    contact_phone: str | None = None


class Slot(_Wire, frozen=True, kw_only=True):
    """A time that can be booked: `time`, under whichever name the API sends it."""

    start: Instant | None = None
    appointment_time: Instant | None = None
    end: Instant | None = None
    staff_id: str | None = None
    location_id: str | None = None

    def __post_init__(self) -> None:
        if self.start is None and self.appointment_time is None:
            raise ValueError("it has no start")

    @property
    def time(self) -> datetime:
        """When it begins, with its offset."""
        moment = self.start or self.appointment_time
        return cast("datetime", moment)


class Availability(_Wire, frozen=True, kw_only=True):
    """Free slots, and the holidays that explain why there are none.

    `holidays` maps the calendar day at the location to what the API says about it, mostly a name.
    """

    slots: tuple[Slot, ...]
    holidays: dict[date, Any] = {}


class Webhook(_Wire, frozen=True, kw_only=True):
    """A registered webhook; the API keeps the secret to itself.

    `webhook_id` is filled from `webhook_id` or `id`, whichever the API sends.
    """

    webhook_id: str = ""
    id: str | None = None
    url: str | None = None
    events: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _identify(self, "webhook_id", self.webhook_id or self.id)


def _identify(record: msgspec.Struct, name: str, found: str | None) -> None:
    """Fill in the identifier; a record without one is of no use."""
    if not found:
        msg = f"it has no {name}"
        raise ValueError(msg)
    msgspec.structs.force_setattr(record, name, found)


def require_offset(moment: datetime) -> datetime:
    """The moment, if it says where on the time line it is; else a ValueError."""
    if moment.utcoffset() is None:
        raise ValueError("appointment_time needs an offset, such as datetime(..., tzinfo=...)")
    return moment
