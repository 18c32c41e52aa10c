"""What the views should show of a small world, told in Python from its bookings alone."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tests.marts.small_world import TAKEN, Booking, SmallWorld, State

Row = dict[str, Any]
BUSY = {"held", "scheduled", "confirmed", "completed", "no_show"}


def _minutes(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else (end - start) // timedelta(minutes=1)


def _email(booking: Booking) -> str | None:
    return (booking.email or "").strip().lower() or None


def customers(world: SmallWorld) -> Callable[[Booking], str | None]:
    """Who made a booking."""
    emails = defaultdict(set)
    for booking in world.bookings:
        if booking.present and booking.phone and _email(booking):
            emails[booking.source, booking.phone].add(_email(booking))

    def of(booking: Booking) -> str | None:
        if _email(booking):
            return f"email:{_email(booking)}"
        if not booking.phone:
            return None
        known = emails[booking.source, booking.phone]
        return f"email:{next(iter(known))}" if len(known) == 1 else f"phone:{booking.phone}"

    return of


def _booked(booking: Booking) -> bool:
    return booking.now.status != "cancelled"


def _present(world: SmallWorld) -> list[Booking]:
    return [booking for booking in world.bookings if booking.present]


def visits(world: SmallWorld) -> dict[tuple[str, str], int]:
    """The number of each booked appointment of a known customer."""
    of, numbers = customers(world), {}
    counts: dict[tuple[str, str | None], int] = defaultdict(int)
    for booking in sorted(_present(world), key=lambda each: (each.now.starts, each.key)):
        if _booked(booking) and of(booking):
            counts[booking.source, of(booking)] += 1
            numbers[booking.source, booking.key] = counts[booking.source, of(booking)]
    return numbers


def _cancelled_at(booking: Booking) -> datetime | None:
    if _booked(booking):
        return None
    if len(booking.states) == 1:
        return booking.now.since if booking.dated else TAKEN
    since = booking.now.since
    for state in reversed([state for state in booking.states if not state.deleted]):
        if state.status != "cancelled":
            break
        since = state.since
    return since


def facts(world: SmallWorld) -> Iterator[Row]:
    """`fact_appointments` without the columns that are passed on."""
    of, numbers = customers(world), visits(world)
    for booking in _present(world):
        known = [state for state in booking.states if not state.deleted]
        starts, local = booking.now.starts, booking.local(booking.now.starts)
        number = numbers.get((booking.source, booking.key))
        yield {
            "_source": booking.source,
            "appointment_id": booking.key,
            "customer_id": of(booking),
            "is_booked": _booked(booking),
            "is_cancelled": not _booked(booking),
            "is_no_show": booking.now.status == "no_show",
            "is_completed": booking.now.status == "completed",
            "local_date": local.date(),
            "local_hour": local.hour,
            "local_weekday": local.isoweekday(),
            "booked_on": booking.local(booking.created).date() if booking.created else None,
            "lead_time_minutes": _minutes(booking.created, starts),
            "reschedules": sum(a.starts != b.starts for a, b in pairwise(known)),
            "first_starts_at": known[0].starts,
            "cancelled_at": _cancelled_at(booking),
            "cancel_notice_minutes": _minutes(_cancelled_at(booking), starts),
            "visit_number": number,
            "is_new_customer": None if number is None else number == 1,
        }


def history(world: SmallWorld) -> Iterator[Row]:
    """`appointment_history` without the columns that are passed on."""
    for booking in world.bookings:
        ends = [*(state.since for state in booking.states[1:]), None]
        for number, (state, end) in enumerate(zip(booking.states, ends, strict=True)):
            yield {
                "_source": booking.source,
                "appointment_id": booking.key,
                "valid_from": state.since if booking.dated else TAKEN,
                "valid_to": end,
                "is_deleted": state.deleted,
                "changed": '["starts_at"]' if number else None,
                "learnt_by": booking.learnt_by,
                "starts_at": state.starts,
                "status": state.status,
            }


def daily(world: SmallWorld) -> Iterator[Row]:
    """`metrics_daily`."""
    moves = {(f["_source"], f["appointment_id"]): f["reschedules"] for f in facts(world)}
    groups: dict[tuple[Any, ...], list[Booking]] = defaultdict(list)
    for each in _present(world):
        day = each.local(each.now.starts).date()
        group = (each.source, day, each.location, each.service, each.staff, each.currency)
        groups[group].append(each)
    names = ("_source", "local_date", "location_id", "service_id", "staff_id", "price_currency")
    for group, members in groups.items():
        booked = [each for each in members if _booked(each)]
        leads = [_minutes(each.created, each.now.starts) for each in booked if each.created]
        prices = [Decimal(each.price) for each in booked if each.price]
        yield dict(zip(names, group, strict=True)) | {
            "bookings": len(booked),
            "cancellations": len(members) - len(booked),
            "no_shows": sum(each.now.status == "no_show" for each in members),
            "completed": sum(each.now.status == "completed" for each in members),
            "reschedules": sum(moves[each.source, each.key] for each in members),
            "booked_minutes": sum(each.minutes or 0 for each in booked),
            "avg_lead_time_minutes": sum(map(int, filter(None, leads))) / len(leads)
            if leads
            else None,
            "revenue": sum(prices) if prices else None,
        }


def new_and_returning(world: SmallWorld) -> Iterator[Row]:
    """`metrics_customers`."""
    of, numbers = customers(world), visits(world)
    new, returning = defaultdict(set), defaultdict(set)
    for each in _present(world):
        group = (each.source, each.local(each.now.starts).date(), each.location)
        match numbers.get((each.source, each.key)):
            case 1:
                new[group].add(of(each))
            case int():
                returning[group].add(of(each))
    for group in new.keys() | returning.keys():
        yield dict(zip(("_source", "local_date", "location_id"), group, strict=True)) | {
            "new_customers": len(new[group]),
            "returning_customers": len(returning[group]),
        }


def people(world: SmallWorld) -> Iterator[Row]:
    """`dim_customer`."""
    of = customers(world)
    groups: dict[tuple[str, str], list[Booking]] = defaultdict(list)
    for each in sorted(_present(world), key=lambda each: (each.now.starts, each.key)):
        if who := of(each):
            groups[each.source, who].append(each)
    for (source, who), members in groups.items():
        booked = [each for each in members if _booked(each)]
        starts = [each.now.starts for each in booked]
        days = [each.local(each.now.starts).date() for each in booked]
        yield {
            "_source": source,
            "customer_id": who,
            "name": _last(each.name for each in members),
            "email": who.removeprefix("email:") if who.startswith("email:") else None,
            "phone": _last(each.phone for each in members),
            "appointments": len(members),
            "bookings": len(booked),
            "cancellations": len(members) - len(booked),
            "no_shows": sum(each.now.status == "no_show" for each in members),
            "first_starts_at": min(starts, default=None),
            "last_starts_at": max(starts, default=None),
            "first_local_date": min(days, default=None),
            "last_local_date": max(days, default=None),
        }


def _last(values: Iterable[str | None]) -> str | None:
    given = [value for value in values if value]
    return given[-1] if given else None


# -- utilization, minute by minute ----------------------------------------------------------

Group = tuple[str, date, str | None, str | None]


def _every_minute(start: datetime, end: datetime) -> set[datetime]:
    return {start + timedelta(minutes=n) for n in range(_minutes(start, end) or 0)}


def _at(booking: Booking, moment: datetime) -> State | None:
    """The state that held at an instant."""
    known = [state for state in booking.states if state.since <= moment]
    return known[-1] if known else None


def _taken(world: SmallWorld, group: Group, moment: datetime | None) -> set[datetime]:
    """Minutes that appointments of the group take up; as they are now without a moment."""
    minutes: set[datetime] = set()
    for each in world.bookings:
        state = each.now if moment is None else _at(each, moment)
        if state is None or state.deleted or state.status not in BUSY or each.minutes is None:
            continue
        if each.staff is None and each.resource is not None:
            continue
        if (each.source, each.local(state.starts).date(), each.location, each.staff) == group:
            minutes |= _every_minute(state.starts, state.starts + timedelta(minutes=each.minutes))
    return minutes


def utilization(world: SmallWorld) -> Iterator[Row]:
    """`metrics_utilization`."""
    offered: dict[Group, set[datetime]] = {}
    for offer in world.offers:
        group: Group = (offer.source, offer.day, offer.location, offer.staff)
        minutes = offered.setdefault(group, set())
        minutes |= _taken(world, group, offer.seen)
        for start, end in offer.slots:
            minutes |= _every_minute(start, end)
    groups = set(offered)
    for each in _present(world):
        day = each.local(each.now.starts).date()
        group = (each.source, day, each.location, each.staff)
        if _taken(world, group, None):
            groups.add(group)
    for group in groups:
        known, booked = offered.get(group), len(_taken(world, group, None))
        yield {
            "_source": group[0],
            "local_date": group[1],
            "location_id": group[2],
            "staff_id": group[3],
            "offered_minutes": None if known is None else len(known),
            "booked_minutes": booked,
            "utilization": booked / len(known) if known else None,
        }
