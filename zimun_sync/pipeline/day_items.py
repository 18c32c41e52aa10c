"""One answer about availability as records of single days, in JSON that never varies needlessly."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from zimun_sync.model import to_micros
from zimun_sync.normalize.slots import REFUSAL, iso
from zimun_sync.pipeline.offers import Offer, escaped
from zimun_sync.zimun import Offered, Slot

#: Characters of an ISO date.
_DAY: Final = 10
#: A slot as a record holds it, or as it came where it cannot be read.
_Content = list[str] | msgspec.Raw

_read = msgspec.json.Decoder(Slot).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Asked(msgspec.Struct, frozen=True):
    """What was asked for.

    Args:
        offer: the service, where and by whom.
        today: the first day, by the location's calendar.
        days: how many.
        organization_id: whose it is, where that is known.
    """

    offer: Offer
    today: date
    days: int
    organization_id: str | None


def today_at(timezone: str | None, moment: datetime) -> date:
    """The calendar day at a place; in UTC where its zone is not known."""
    return moment.astimezone(_zone(timezone)).date()


def day_key(word: str, day: date | None) -> str:
    """The key of an offer's day, or of what has no day."""
    return f"{word}@{day.isoformat() if day else ''}"


def availability_items(asked: Asked, answer: Offered, begun: Sequence[list[str]]) -> list[bytes]:
    """A record for each day that was asked for, those without slots included.

    Args:
        asked: the question.
        answer: the answer.
        begun: today's slots that have begun; no answer brings them any more.
    """
    days = [asked.today + timedelta(days=ahead) for ahead in range(asked.days)]
    by_day: dict[date | None, list[_Content]] = {day: [] for day in days}
    by_day[asked.today] += begun
    for raw in answer.slots:
        _sort_in(by_day, raw, asked.offer)
    return [_record(asked, day, {"slots": _in_order(found)}) for day, found in by_day.items()]


def holiday_items(asked: Asked, holidays: Mapping[str, msgspec.Raw]) -> list[bytes]:
    """A record for each holiday of a location."""
    return [
        _holiday(asked, day, _fields_of(said) or {"name": said}) for day, said in holidays.items()
    ]


def refused_item(stream: str, asked: Asked, reason: str) -> bytes:
    """A record that says why there is no answer; it goes to quarantine."""
    if stream == "holidays":
        return _holiday(asked, "", {}, {REFUSAL: reason})
    return _record(asked, None, {"date": {REFUSAL: reason}})


def _sort_in(by_day: dict[date | None, list[_Content]], raw: msgspec.Raw, offer: Offer) -> None:
    try:
        slot = _read(raw)
        begin, end = slot.time, _end(slot, offer)
        day: date | None = begin.astimezone(_zone(offer.timezone)).date()
        content: _Content = [iso(to_micros(begin)), iso(to_micros(end))]
    except (msgspec.DecodeError, ValueError, OverflowError):
        day, content = _likely_day(raw), raw
    else:
        if not _is_of(slot, offer) or day not in by_day:
            return
    by_day.setdefault(day if day in by_day else None, []).append(content)


def _end(slot: Slot, offer: Offer) -> datetime:
    if slot.end is not None:
        return slot.end
    if offer.minutes is None:
        raise ValueError("it has no end, and its service no length")
    return slot.time + timedelta(minutes=offer.minutes)


def _is_of(slot: Slot, offer: Offer) -> bool:
    """Whether a slot is what was asked for: a source may pass over what it does not know."""
    return slot.staff_id in (None, offer.staff_id or slot.staff_id) and slot.location_id in (
        None,
        offer.location_id or slot.location_id,
    )


def _likely_day(raw: msgspec.Raw) -> date | None:
    """The day that a slot which cannot be read seems to be of."""
    fields = _fields_of(raw)
    for name in ("start", "appointment_time"):
        text = bytes(fields.get(name, b"")).removeprefix(b'"')[:_DAY]
        with suppress(ValueError):  # what has no day is kept under none
            return date.fromisoformat(text.decode())
    return None


def _fields_of(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """An object's fields; none of anything else."""
    try:
        return _fields(raw)
    except msgspec.DecodeError:
        return {}


def _in_order(found: Sequence[_Content]) -> list[_Content]:
    """Readable slots in order, each once; then the others."""
    readable = {tuple(each) for each in found if isinstance(each, list)}
    return [*map(list, sorted(readable)), *(each for each in found if not isinstance(each, list))]


def _record(asked: Asked, day: date | None, more: Mapping[str, Any]) -> bytes:
    offer = asked.offer
    fields = {
        "availability_id": day_key(offer.word, day),
        "organization_id": asked.organization_id,
        "location_id": offer.location_id,
        "service_id": offer.service_id,
        "staff_id": offer.staff_id,
        "date": day.isoformat() if day else None,
        "timezone": offer.timezone,
    }
    return _encode(fields | dict(more))


def _holiday(
    asked: Asked, day: str, fields: Mapping[str, Any], refusal: Mapping[str, str] | None = None
) -> bytes:
    own = {
        "holiday_id": f"{escaped(asked.offer.location_id)}@{day}",
        "organization_id": asked.organization_id,
        "location_id": asked.offer.location_id,
        "date": refusal or day or None,
    }
    return _encode({**fields, **own})


def _zone(timezone: str | None) -> tzinfo:
    return ZoneInfo(timezone) if timezone else UTC
