"""What the ten questions should answer, told from a business's world in plain Python."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from itertools import pairwise
from typing import Any

from tests.marts.business import Business, Json, Moment, Span
from tests.marts.people import customers_of
from tests.marts.visits import BUSY, Visit, instant

Rows = list[tuple[Any, ...]]
_DAY = timedelta(days=1)
#: Upper bound of the lead time in days, and what it is called in the answer.
_LEADS = ((1, "1: within a day"), (3, "2: 1-3 days"), (7, "3: 3-7 days"), (14, "4: 1-2 weeks"))


class Truth:
    """The answers, each in the order that its question asks for.

    Args:
        business: what was synced.
    """

    def __init__(self, business: Business) -> None:
        self._business = business
        self._catalog = business.world.catalog

    @cached_property
    def visits(self) -> list[Visit]:
        """Every present appointment."""
        records = self._business.last.records.values()
        customers = customers_of(records)
        return [self._visit(record, customers[record["appointment_id"]]) for record in records]

    def bookings_by_week(self) -> Rows:
        """Week, location, bookings, cancellations."""
        counted: Counter[tuple[Any, ...]] = Counter()
        for visit in self.visits:
            monday = visit.day - timedelta(days=visit.day.weekday())
            counted[monday, self._location(visit), visit.booked] += 1
        keys = sorted({key[:2] for key in counted})
        return [(*key, counted[(*key, True)], counted[(*key, False)]) for key in keys]

    def no_shows_by_service(self) -> Rows:
        """Service, attended, missed, percentage missed."""
        counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for visit in self.visits:
            if visit.record["service_id"] and visit.status in {"completed", "no_show"}:
                counted[self._service(visit)][visit.status] += 1
        rows = [
            (name, found["completed"], found["no_show"], percent(found["no_show"], found.total()))
            for name, found in counted.items()
        ]
        return sorted(rows, key=lambda row: (-row[3], row[0]))

    def utilization(self, today: date) -> Rows:
        """Staff member, name, location, offered and booked minutes of the week after a day."""
        week = [today + timedelta(days=ahead) for ahead in range(1, 8)]
        rows = []
        for staff_id, person in self._catalog.staff.items():
            days = [self._minutes(staff_id, person["service_ids"], day) for day in week]
            offered = sum(each for each, _ in days)
            booked = sum(each for _, each in days)
            if offered:
                place = self._catalog.locations[person["location_id"]]["name"]
                share = percent(booked, offered)
                rows.append((staff_id, person["name"], place, offered, booked, share))
        return sorted(rows, key=lambda row: (-row[5], row[0]))

    def _minutes(self, staff_id: str, services: Iterable[str], day: date) -> tuple[int, int]:
        """Minutes offered and booked; a day that offers nothing counts for neither."""
        first, last = self._business.first, self._business.last
        offered: set[int] = set()
        for service_id in services:
            key = (staff_id, service_id, day)
            # An answer that was the same both times stands as of the first time.
            unchanged = first.free.get(key) == last.free.get(key)
            offered |= minutes_of(last.free.get(key, ()))
            offered |= minutes_of(self._busy(first if unchanged else last, staff_id, day))
        booked = minutes_of(self._busy(last, staff_id, day))
        return (len(offered), len(booked)) if offered else (0, 0)

    def _busy(self, moment: Moment, staff_id: str, day: date) -> list[Span]:
        visits = (self._visit(record, None) for record in moment.records.values())
        return [
            visit.span
            for visit in visits
            if visit.record["staff_id"] == staff_id and visit.day == day and visit.status in BUSY
        ]

    def revenue_by_month(self) -> Rows:
        """Month, currency, bookings with a price, their sum."""
        found: defaultdict[tuple[date, str], list[Decimal]] = defaultdict(list)
        for visit in self.visits:
            if visit.booked and visit.amount is not None:
                found[visit.month, visit.record["price"]["currency"]].append(visit.amount)
        return [(*key, len(amounts), sum(amounts)) for key, amounts in sorted(found.items())]

    def lead_times(self) -> Rows:
        """How long ahead, bookings, percentage."""
        counted = Counter(_lead(visit) for visit in self.visits if visit.booked)
        total = counted.total()
        return [(name, count, percent(count, total)) for name, count in sorted(counted.items())]

    def late_cancellations(self) -> Rows:
        """Location, cancellations, how many of them less than a day before the start."""
        counted: defaultdict[str, Counter[bool]] = defaultdict(Counter)
        for visit in self.visits:
            if not visit.booked:
                late = visit.start - self._cancelled_at(visit) < _DAY
                counted[self._location(visit)][late] += 1
        return [
            (name, found.total(), found[True], percent(found[True], found.total()))
            for name, found in sorted(counted.items())
        ]

    def new_and_returning(self) -> Rows:
        """Month, customers on their first visit, customers on a later one."""
        first = {visits[0].key for visits in self._by_customer().values()}
        seen: defaultdict[date, tuple[set[str], set[str]]]
        seen = defaultdict(lambda: (set(), set()))
        for customer, visits in self._by_customer().items():
            for visit in visits:
                seen[visit.month][visit.key not in first].add(customer)
        return [(month, len(new), len(old)) for month, (new, old) in sorted(seen.items())]

    def busiest_hours(self) -> Rows:
        """Location, weekday, hour, bookings: the ten busiest."""
        counted = Counter(
            (self._location(visit), visit.local.isoweekday(), visit.local.hour)
            for visit in self.visits
            if visit.booked
        )
        rows = [(*key, count) for key, count in counted.items()]
        return sorted(rows, key=lambda row: (-row[3], *row[:3]))[:10]

    def state_before(self) -> Rows:
        """Status, appointments: as everything stood before the day of calls."""
        before = (self._visit(record, None) for record in self._business.first.records.values())
        return sorted(Counter(visit.status for visit in before).items())

    def changes(self) -> Rows:
        """What happened, how it was learnt, how often."""
        deleted = len(self._business.deleted)
        counted = Counter({("deleted", "pull"): deleted})
        for key, versions in self._business.versions.items():
            steps: list[tuple[Json | None, Json]] = list(pairwise(versions))
            if key not in self._business.first.records:
                steps.append((None, versions[0]))
            for former, later in steps:
                by = "pull" if later in self._business.silent else "webhook"
                counted[_what(former, later), by] += 1
        return [(*key, count) for key, count in sorted(counted.items())]

    def movers(self) -> Rows:
        """Name, customer, moved appointments, moves, the furthest in minutes."""
        found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for visit in self.visits:
            versions = self._business.versions.get(visit.key, [])
            starts = [instant(version["appointment_time"]) for version in versions]
            times = sum(before != after for before, after in pairwise(starts))
            if times and visit.customer:
                distance = int(abs(starts[-1] - starts[0]) / timedelta(minutes=1))
                found[visit.customer].append((times, distance))
        rows = [
            (self._name(customer), customer, len(moves), *_summed(moves))
            for customer, moves in found.items()
        ]
        return sorted(rows, key=lambda row: (-row[3], -row[2], row[1]))

    def _name(self, customer: str) -> str:
        """As given for the latest appointment; the identifier decides between equals."""
        theirs = [visit for visit in self.visits if visit.customer == customer]
        latest = max(visit.start for visit in theirs)
        chosen = min((visit for visit in theirs if visit.start == latest), key=lambda v: v.key)
        return str(chosen.record["contact_name"])

    def _visit(self, record: Json, customer: str | None) -> Visit:
        zone = self._catalog.zone(record["location_id"])
        local = datetime.fromisoformat(record["appointment_time"]).astimezone(zone)
        return Visit(record, local.replace(tzinfo=None), customer)

    def _location(self, visit: Visit) -> str:
        return str(self._catalog.locations[visit.record["location_id"]]["name"])

    def _service(self, visit: Visit) -> str:
        return str(self._catalog.services[visit.record["service_id"]]["name"])

    def _cancelled_at(self, visit: Visit) -> datetime:
        versions = self._business.versions.get(visit.key, [visit.record])
        since = [
            instant(version["updated_at"])
            for version in versions
            if version["status"] == "cancelled"
        ]
        return since[0]

    def _by_customer(self) -> dict[str, list[Visit]]:
        """Each customer's booked visits in order of time."""
        found: defaultdict[str, list[Visit]] = defaultdict(list)
        for visit in sorted(self.visits, key=lambda visit: (visit.start, visit.key)):
            if visit.booked and visit.customer is not None:
                found[visit.customer].append(visit)
        return found


def percent(part: int, whole: int) -> float:
    """A share in percent with one digit, halves upwards."""
    share = Decimal(100 * part) / Decimal(whole)
    return float(share.quantize(Decimal("0.1"), ROUND_HALF_UP))


def minutes_of(spans: Iterable[Span]) -> set[int]:
    """The minutes since the epoch that at least one span covers."""
    return {minute for start, end in spans for minute in range(start // 60, end // 60)}


def _summed(moves: list[tuple[int, int]]) -> tuple[int, int]:
    return sum(times for times, _ in moves), max(distance for _, distance in moves)


def _what(former: Json | None, later: Json) -> str:
    if former is None:
        return "first seen"
    if later["status"] == "cancelled" != former["status"]:
        return "cancelled"
    return "edited" if later["appointment_time"] == former["appointment_time"] else "moved"


def _lead(visit: Visit) -> str:
    ahead = visit.start - instant(visit.record["created_at"])
    return next((name for days, name in _LEADS if ahead < days * _DAY), "5: longer")
