"""A source's appointment as people would tell it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from tests.marts.business import Json, Span

#: Statuses that have a name of their own; and those that take up somebody's time.
_PROMISED = {"held", "scheduled", "confirmed", "completed", "no_show", "cancelled"}
BUSY = _PROMISED - {"cancelled"}


@dataclass(frozen=True)
class Visit:
    """One appointment.

    Args:
        record: as the source has it.
        local: its start on the location's wall clock.
        customer: who it is for, or None where nobody knows.
    """

    record: Json
    local: datetime
    customer: str | None

    @property
    def key(self) -> str:
        return str(self.record["appointment_id"])

    @property
    def start(self) -> datetime:
        return instant(self.record["appointment_time"])

    @property
    def day(self) -> date:
        return self.local.date()

    @property
    def month(self) -> date:
        return self.day.replace(day=1)

    @property
    def status(self) -> str:
        given = str(self.record["status"])
        return given if given in _PROMISED else "other"

    @property
    def booked(self) -> bool:
        return self.status != "cancelled"

    @property
    def span(self) -> Span:
        begin = int(self.start.timestamp())
        return begin, begin + int(self.record["appointment_duration"]) * 60

    @property
    def amount(self) -> Decimal | None:
        price = self.record["price"]
        return Decimal(price["amount"]) if price else None


def instant(stamp: str) -> datetime:
    """An aware UTC datetime of an ISO time."""
    return datetime.fromisoformat(stamp).astimezone(UTC)
