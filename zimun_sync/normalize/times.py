"""Columns of times, for which a call a value would be too slow.

Each of these gives what the converter of the same name in `values` gives for every value, nulls
staying null. Where a value is refused or hard to read there is no answer for the column at all.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from zimun_sync.normalize import values

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_DAY, _SECOND = 86_400, 1_000_000
#: Where the offset begins, or what else is not on the wall clock.
_END: Final = len("2000-01-01T00:00:00")
_OFFSET = re.compile(r"Z|[+-][0-9]{2}:[0-9]{2}")
_parse = datetime.fromisoformat


def instants(given: Iterable[Any]) -> list[int | None]:
    """Microseconds since the epoch, UTC.

    Raises:
        TypeError, ValueError: one of them is not so easily read.
    """
    found: list[int | None] = []
    for value in given:
        if value is None:
            found.append(None)
            continue
        since = _parse(value) - _EPOCH
        # Three small numbers are a good deal faster than a timedelta's own division.
        seconds = since.days * _DAY + since.seconds
        found.append(seconds * _SECOND + since.microseconds)
    require_calendar(found)
    return found


def local_moments(given: Iterable[Any]) -> list[tuple[int, int] | None]:
    """Microseconds since the epoch, UTC, with the offset, seconds.

    Raises:
        TypeError, ValueError: one of them is not so easily read.
    """
    found: list[tuple[int, int] | None] = []
    for value in given:
        if value is None:
            found.append(None)
            continue
        if type(value) is not str:
            raise TypeError
        # Arithmetic with a datetime's own offset costs more than all the rest: it is cut off.
        since, offset = _parse(value[:_END]) - _WALL_EPOCH, _offset(value[_END:])
        seconds = since.days * _DAY + since.seconds - offset
        found.append((seconds * _SECOND + since.microseconds, offset))
    return found


@lru_cache(maxsize=1024)
def _offset(ending: str) -> int:
    """Seconds that the end of an ISO 8601 time stands for, if it is an offset and no more."""
    if not _OFFSET.fullmatch(ending):
        raise ValueError
    offset = _parse(f"2000-01-01T00:00:00{ending}").utcoffset()
    return int(offset.total_seconds()) if offset else 0


def require_calendar(found: Iterable[int | None]) -> None:
    """Refuse what is not within the calendar.

    Raises:
        RecordInvalid: one of them is not.
    """
    known = [micros for micros in found if micros is not None]
    if known:
        values.within_calendar(min(known))
        values.within_calendar(max(known))
