"""What a source offers, as the store knows it: each is asked when it is free."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from zimun_sync.model import LOCATIONS, SERVICES, STAFF, Stream
from zimun_sync.normalize import Places
from zimun_sync.pipeline.places import places_of, rows_of
from zimun_sync.store import Store

Row = Mapping[str, Any]


class HorizonRules(msgspec.Struct, frozen=True):
    """How availability is asked for.

    Args:
        days: how many, today included.
        by_staff: each staff member for themselves, where it is known who gives a service.
    """

    days: int = 14
    by_staff: bool = True


class Offer(msgspec.Struct, frozen=True):
    """A service at a place, by one person or by whoever is free.

    Args:
        service_id: the service.
        location_id: where; None where the source has no locations.
        staff_id: who; None for whoever is free.
        minutes: the service's usual length, where it is known.
        timezone: IANA zone of the place, where it is known.
    """

    service_id: str
    location_id: str | None
    staff_id: str | None
    minutes: int | None
    timezone: str | None

    @property
    def word(self) -> str:
        """It, in one word: `service@location@staff`."""
        return "@".join(
            escaped(part) for part in (self.service_id, self.location_id, self.staff_id)
        )

    def parameters(self, days: int) -> dict[str, str]:
        """The query that asks for it."""
        given = {
            "service_id": self.service_id,
            "days_ahead": str(days),
            "location_id": self.location_id,
            "staff_id": self.staff_id,
        }
        return {name: value for name, value in given.items() if value is not None}


def escaped(identifier: str | None) -> str:
    """An identifier within a word; nothing for None."""
    return (identifier or "").replace("%", "%25").replace("@", "%40")


def offers_of(store: Store, source: str, *, by_staff: bool) -> list[Offer]:
    """Everything that can be asked for, in a stable order.

    Services, people and places that the last complete listing missed are left out: they are
    about to be deleted, and asking for them would be refused.
    """
    places = places_of(store, source)
    locations = [row["location_id"] for row in _listed(store, source, LOCATIONS)]
    staff = _listed(store, source, STAFF) if by_staff else []
    offers = (
        offer
        for service in _listed(store, source, SERVICES)
        for location_id in _locations_of(service, locations)
        for offer in _offers_at(service, location_id, staff, places)
    )
    return sorted(offers, key=lambda offer: offer.word)


def _listed(store: Store, source: str, stream: Stream) -> list[dict[str, Any]]:
    """Rows that the last complete listing brought, those that cannot be booked left out."""
    missed = store.missing.keys(source, stream.name)
    rows = rows_of(store, source, stream)
    return [row for row in rows if row[stream.key] not in missed and row.get("active") is not False]


def _locations_of(service: Row, locations: Sequence[str]) -> Sequence[str | None]:
    """Where a service is offered; everywhere, unless it says where."""
    named = _identifiers(service["location_ids"])
    if named is None:
        return locations or [None]
    # A location that is gone may still be named.
    return [each for each in named if each in locations or not locations]


def _offers_at(
    service: Row, location_id: str | None, staff: Sequence[Row], places: Places
) -> Iterator[Offer]:
    for staff_id in _people(service["service_id"], location_id, staff):
        yield Offer(
            service["service_id"],
            location_id,
            staff_id,
            service["duration_minutes"],
            places.at(location_id).timezone,
        )


def _people(service_id: str, location_id: str | None, staff: Sequence[Row]) -> Sequence[str | None]:
    """Who gives a service at a place; None for whoever does, where that is not known."""
    here = [row for row in staff if location_id in (None, row["location_id"] or location_id)]
    given = {row["staff_id"]: _identifiers(row["service_ids"]) for row in here}
    known = {key: services for key, services in given.items() if services is not None}
    if not here or len(known) < len(given):
        return [None]
    return [key for key, services in known.items() if service_id in services]


def _identifiers(stored: str | None) -> list[str] | None:
    """A stored JSON array of identifiers; None where there is none, or it is something else."""
    content = None if stored is None else msgspec.json.decode(stored)
    return [str(each) for each in content] if isinstance(content, list) else None
