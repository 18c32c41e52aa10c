"""Days of availability and holidays: free slots into what a stored row holds."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import from_micros
from zimun_sync.normalize import values

#: Start and end, microseconds since the epoch, UTC.
Slot = tuple[int, int]

#: What stands in place of a day where the source gave no answer: an object that says why.
REFUSAL: Final = "refusal"

_MINUTE = 60_000_000
_PARTS = 2
_encode = msgspec.json.Encoder().encode


def slots(value: Any, field: str) -> list[Slot]:
    """Free slots, each `[start, end]` in ISO 8601 with offsets, in order and each once."""
    if type(value) is not list:
        raise values.wrong_type(field, value, "an array of slots")
    return sorted({_slot(each, field) for each in value})


def _slot(value: Any, field: str) -> Slot:
    if type(value) is not list or len(value) != _PARTS:
        raise RecordInvalid("bad-slot", f"A slot in {field!r} has no readable start and end.")
    start, end = (values.instant(each, field) for each in value)
    if end <= start:
        raise RecordInvalid("bad-slot", f"A slot in {field!r} ends before it begins.")
    return start, end


def count_slots(filled: dict[str, Any]) -> None:
    """Fill the columns that follow from a day's slots."""
    require_day(filled)
    if filled["slots"] is None:
        raise RecordInvalid("missing-slots", "The record has no 'slots'.")
    found: list[Slot] = filled["slots"]
    filled["slots"] = _encode([[iso(start), iso(end)] for start, end in found]).decode()
    filled["slot_count"] = len(found)
    filled["free_minutes"] = _covered(found) // _MINUTE


def require_day(filled: dict[str, Any]) -> None:
    """Refuse what is of no day."""
    if filled["date"] is None:
        raise RecordInvalid("missing-date", "The record has no 'date'.")


def day(value: Any, field: str) -> int:
    """A day, unless the source refused to tell of any: then what it said."""
    refusal = value.get(REFUSAL) if type(value) is dict else None
    if type(refusal) is str:
        raise RecordInvalid("not-answered", refusal)
    return values.day(value, field)


def iso(micros: int) -> str:
    """Microseconds since the epoch in ISO 8601, UTC."""
    return from_micros(micros).isoformat().replace("+00:00", "Z")


def _covered(in_order: Iterable[Slot]) -> int:
    """Microseconds that at least one slot covers."""
    total, upto = 0, None
    for start, end in in_order:
        begin = start if upto is None else max(start, upto)
        total += max(end - begin, 0)
        upto = end if upto is None else max(end, upto)
    return total


def begun(stored: str, moment: int) -> Sequence[Slot]:
    """Those of a stored row's slots that began at a moment or before it."""
    return [each for each in slots(msgspec.json.decode(stored), "slots") if each[0] <= moment]
