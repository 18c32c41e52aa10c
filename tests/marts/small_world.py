"""A few bookings with known pasts, as Python values, and as what a store would deliver."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from zimun_sync.model import STREAMS, Row, Stream, to_micros
from zimun_sync.sinks import Batch
from zimun_sync.testing import make_batch, make_row, upsert

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
LOCATIONS = {"l_berlin": BERLIN, "l_york": NEW_YORK}

#: When the store took every version.
TAKEN = datetime(2026, 11, 20, 3, tzinfo=UTC)


def utc(text: str) -> datetime:
    """An instant such as `2026-10-25 00:30`, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class State:
    """What an appointment was like from some instant on."""

    since: datetime
    starts: datetime
    status: str = "confirmed"
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Booking:
    """One appointment with everything that was ever known of it; the last state stands."""

    key: str
    states: tuple[State, ...]
    created: datetime | None
    source: str = "main"
    location: str | None = "l_berlin"
    zone: str | None = BERLIN
    service: str | None = "s_cut"
    staff: str | None = "st_ana"
    resource: str | None = None
    minutes: int | None = 60
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    price: str | None = "40.00"
    currency: str | None = "EUR"
    offset: int = 120
    learnt_by: str = "pull"
    dated: bool = True

    @property
    def now(self) -> State:
        return self.states[-1]

    @property
    def present(self) -> bool:
        return not self.now.deleted

    def local(self, instant: datetime) -> datetime:
        """The wall clock there; the given offset where the zone is unknown."""
        zones = {BERLIN, NEW_YORK}
        if self.zone in zones:
            return instant.astimezone(ZoneInfo(self.zone or "")).replace(tzinfo=None)
        return (instant + timedelta(minutes=self.offset)).replace(tzinfo=None)

    def ends(self, state: State) -> datetime | None:
        return None if self.minutes is None else state.starts + timedelta(minutes=self.minutes)

    def content(self, state: State) -> dict[str, Any]:
        """The columns of `appointments` in one state."""
        local = self.local(state.starts)
        return {
            "organization_id": "o_1",
            "location_id": self.location,
            "service_id": self.service,
            "staff_id": self.staff,
            "resource_id": self.resource,
            "status": state.status,
            "source_status": state.status.upper(),
            "starts_at": state.starts,
            "ends_at": self.ends(state),
            "local_start": local,
            "local_date": local.date(),
            "timezone": self.zone,
            "utc_offset_minutes": self.offset,
            "duration_minutes": self.minutes,
            "contact_name": self.name,
            "contact_email": self.email,
            "contact_phone": self.phone,
            "price_amount": None if self.price is None else Decimal(self.price),
            "price_currency": self.currency,
            "created_at": self.created,
            "updated_at": state.since if self.dated else None,
            "deleted_at": state.since if state.deleted else None,
            "extra": {"key": self.key},
        }


@dataclass(frozen=True, slots=True)
class Offer:
    """The free slots of one service, staff member and day, as last seen."""

    day: date
    seen: datetime
    slots: tuple[tuple[datetime, datetime], ...]
    source: str = "main"
    location: str = "l_berlin"
    service: str = "s_cut"
    staff: str | None = "st_ana"


@dataclass(frozen=True, slots=True)
class SmallWorld:
    """What is delivered to a sink."""

    bookings: Sequence[Booking] = ()
    offers: Sequence[Offer] = ()
    holidays: Sequence[tuple[str, date]] = ()
    locations: Sequence[tuple[str, str]] = field(
        default=tuple((source, name) for source in ("main", "second") for name in LOCATIONS)
    )

    def batches(self) -> Iterator[Batch]:
        """Everything, stream by stream and source by source, in the order of delivery."""
        yield from _batches("organization", self._organizations())
        yield from _batches("locations", self._locations())
        yield from _batches("holidays", self._holidays())
        yield from _batches("availability", self._offers(), taken=[o.seen for o in self.offers])
        yield from _batches("appointment_versions", self._versions())
        present = [booking for booking in self.bookings if booking.present]
        yield from _batches(
            "appointments",
            [(b.source, b.key, b.content(b.now)) for b in present],
            learnt_by=[b.learnt_by for b in present],
        )

    def _organizations(self) -> "Records":
        for source in sorted({source for source, _ in self.locations}):
            values = {"name": f"House {source}", "timezone": BERLIN, "country": "DE"}
            yield source, "o_1", values | {"currency": "EUR"}

    def _locations(self) -> "Records":
        for source, name in self.locations:
            zone = None if name == "l_berlin" else LOCATIONS[name]  # Berlin's is the house's
            yield source, name, {"organization_id": "o_1", "name": name.title(), "timezone": zone}

    def _holidays(self) -> "Records":
        for location, day in self.holidays:
            values = {"organization_id": "o_1", "location_id": location, "date": day}
            yield "main", f"{location}@{day}", values | {"name": "Closed"}

    def _offers(self) -> "Records":
        for offer in self.offers:
            slots = [[_iso(start), _iso(end)] for start, end in offer.slots]
            yield (
                offer.source,
                f"{offer.service}@{offer.location}@{offer.staff}@{offer.day}",
                {
                    "organization_id": "o_1",
                    "location_id": offer.location,
                    "service_id": offer.service,
                    "staff_id": offer.staff,
                    "date": offer.day,
                    "timezone": LOCATIONS[offer.location],
                    "slots": json.dumps(slots),
                    "slot_count": len(slots),
                },
            )

    def _versions(self) -> "Records":
        for booking in self.bookings:
            if len(booking.states) > 1:
                yield from _versions_of(booking)


#: Source, key and the values of its columns.
Records = Iterable[tuple[str, str, dict[str, Any]]]


def _versions_of(booking: Booking) -> Records:
    """As the store makes them: of versions at one instant the last has no number."""
    states = booking.states
    for number, state in enumerate(states, 1):
        following = states[number].since if number < len(states) else None
        tail = f"~{number}" if following == state.since else ""
        values = {
            "appointment_id": booking.key,
            "valid_from": state.since,
            "valid_to": following,
            "is_deleted": state.deleted,
            "changed": None if number == 1 else ["starts_at"],
            "learnt_by": booking.learnt_by,
            "learnt_at": TAKEN,
        }
        moment = state.since.isoformat(timespec="microseconds")
        yield booking.source, f"{booking.key}@{moment}{tail}", booking.content(state) | values


def _iso(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _batches(
    name: str,
    records: Records,
    *,
    taken: Sequence[datetime] = (),
    learnt_by: Sequence[str] = (),
) -> Iterator[Batch]:
    stream = STREAMS[name]
    changes: dict[str, list[Any]] = {}
    for number, (source, key, values) in enumerate(records):
        change = upsert(number + 1, key, _row(stream, key, values))
        moment = taken[number] if taken else TAKEN
        run = "webhook" if learnt_by and learnt_by[number] == "webhook" else "run-1"
        change = change._replace(observed_at=to_micros(moment), run_id=run)
        changes.setdefault(source, []).append(change)
    for source, found in changes.items():
        yield make_batch(*found, stream=stream, source=source)


def _row(stream: Stream, key: str, values: dict[str, Any]) -> Row:
    return make_row(stream, key, **values)
