"""What the sandbox itself reads from an appointment, whoever wrote it."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from zimun_sync.sandbox.world.stamps import parse_instant

#: Statuses that keep staff and resources busy.
BUSY = frozenset({"held", "scheduled", "confirmed"})


class Facts(msgspec.Struct):
    """An appointment's members, present or not, right or wrong."""

    appointment_id: Any = None
    booking_id: Any = None
    id: Any = None
    appointment_time: Any = None
    appointment_duration: Any = None
    status: Any = None
    staff_id: Any = None
    resource_id: Any = None
    updated_at: Any = None

    @property
    def key(self) -> str | None:
        """The identifier under whichever name it has."""
        names = (self.appointment_id, self.booking_id, self.id)
        return next((name for name in names if isinstance(name, str) and name), None)

    @property
    def updated(self) -> int:
        """`updated_at` in microseconds since the epoch, UTC; 0 when there is none."""
        instant = parse_instant(self.updated_at)
        return 0 if instant is None else int(instant.timestamp() * 1_000_000)

    @property
    def interval(self) -> tuple[int, int] | None:
        """Start and end in epoch seconds while it keeps somebody busy, else None."""
        start = parse_instant(self.appointment_time)
        minutes = self.appointment_duration
        if start is None or self.status not in BUSY or type(minutes) is not int:
            return None
        begin = int(start.timestamp())
        return begin, begin + minutes * 60

    @property
    def subjects(self) -> tuple[str, ...]:
        """The staff member and the resource, as far as there are any."""
        return tuple(name for name in (self.staff_id, self.resource_id) if isinstance(name, str))


_decoder = msgspec.json.Decoder(Facts)


def read_facts(item: bytes) -> Facts:
    """The facts of an encoded record; none at all for one that is not an object.

    Raises:
        msgspec.DecodeError: it is not JSON.
    """
    try:
        return _decoder.decode(item)
    except msgspec.ValidationError:
        return Facts()


class Price(msgspec.Struct):
    """An exact amount of money."""

    amount: Decimal
    currency: str


class WellFormed(msgspec.Struct):
    """An appointment as it should be; decoding anything else fails."""

    appointment_time: Annotated[datetime, msgspec.Meta(tz=True)]
    appointment_duration: int | None = None
    price: Price | None = None
