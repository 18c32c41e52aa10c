"""Filters of templates, as in `{{ starts_at | local(timezone) | iso }}`; nothing stays nothing."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import wraps
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Undefined

_Filter = TypeVar("_Filter", bound=Callable[..., Any])
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")

_PARTS: Final = ("year", "month", "day", "hour", "minute", "second", "microsecond")


class FilterError(ValueError):
    """A value is not what a filter takes. The message does not hold the value."""


def _keeps_nothing(function: _Filter) -> _Filter:
    @wraps(function)
    def filtered(value: Any, *arguments: Any) -> Any:
        # The truth of a strict undefined is an error that names it.
        if value is None or (isinstance(value, Undefined) and not value):
            return None
        return function(value, *arguments)

    return filtered  # type: ignore[return-value]


def _moment(value: Any, name: str) -> datetime:
    if isinstance(value, datetime):
        return value
    raise FilterError(f"{name} takes a time, not {_kind(value)}")


def _aware(value: Any, name: str) -> datetime:
    moment = _moment(value, name)
    if moment.tzinfo is None:
        raise FilterError(f"{name} takes an instant, not a wall-clock time without offset")
    return moment


def _kind(value: Any) -> str:
    names = {str: "a text", int: "a number", Decimal: "a number", date: "a date", dict: "a mapping"}
    return names.get(type(value), type(value).__name__)


@_keeps_nothing
def iso(value: Any) -> str:
    """A time or date in ISO 8601; UTC is written `Z`, a wall clock without offset."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return _moment(value, "iso").isoformat().replace("+00:00", "Z")


@_keeps_nothing
def epoch_ms(value: Any) -> int:
    """Milliseconds since 1970-01-01T00:00:00Z of an instant."""
    since = _aware(value, "epoch_ms") - datetime(1970, 1, 1, tzinfo=UTC)
    return round(since.total_seconds() * 1000)


@_keeps_nothing
def day(value: Any) -> str:
    """The calendar day of a time or date as it stands, YYYY-MM-DD."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise FilterError(f"date takes a time or a date, not {_kind(value)}")


@_keeps_nothing
def time_of_day(value: Any) -> str:
    """The time of day of a time as it stands, HH:MM:SS."""
    return _moment(value, "time").strftime("%H:%M:%S")


@_keeps_nothing
def local(value: Any, zone: Any) -> datetime:
    """An instant on the wall clock of an IANA zone; without offset."""
    try:
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError):
        raise FilterError("local takes an IANA zone such as Europe/Vienna") from None
    return _aware(value, "local").astimezone(clock).replace(tzinfo=None)


@_keeps_nothing
def strftime(value: Any, pattern: str) -> str:
    """A time or date as a pattern such as `%d.%m.%Y` spells it."""
    if isinstance(value, date):
        return value.strftime(pattern)
    raise FilterError(f"strftime takes a time or a date, not {_kind(value)}")


@_keeps_nothing
def instant(value: Any, pattern: str = "") -> datetime:
    """An aware UTC time of what a system holds; where it names no offset, it is taken for UTC.

    Takes ISO 8601, a text of the pattern given, milliseconds since the epoch, or a mapping with
    `year`, `month`, `day` and perhaps `hour`, `minute`, `second`.
    """
    try:
        found = _parsed(value, pattern)
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        raise FilterError(f"instant cannot read {_kind(value)} of that form") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _parsed(value: Any, pattern: str) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, Mapping):
        parts = {name: int(value[name]) for name in _PARTS if name in value}
        return datetime(**parts)  # type: ignore[arg-type]  # noqa: DTZ001
    if isinstance(value, str):
        return datetime.strptime(value, pattern) if pattern else datetime.fromisoformat(value)  # noqa: DTZ007
    return datetime.fromtimestamp(value / 1000, UTC)


@_keeps_nothing
def as_json(value: Any) -> str:
    """JSON text; times as ISO 8601, exact numbers as numbers."""
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return iso(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise FilterError(f"json cannot hold {_kind(value)}")


@_keeps_nothing
def e164(value: Any, region: str | None = None) -> str | None:
    """A phone number as +436601234567; None if it is none.

    Args:
        value: the number as text.
        region: country (ISO 3166-1) of numbers without country code.
    """
    import phonenumbers

    try:
        number = phonenumbers.parse(str(value), region)
    except phonenumbers.NumberParseException:
        return None
    text = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return text if _PHONE.fullmatch(text) else None


@_keeps_nothing
def digits(value: Any) -> str:
    """Only the digits of a text."""
    return re.sub(r"[^0-9]", "", str(value))


#: By the name that templates use, beside those that Jinja2 brings.
FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "iso": iso,
    "epoch_ms": epoch_ms,
    "date": day,
    "time": time_of_day,
    "local": local,
    "strftime": strftime,
    "instant": instant,
    "json": as_json,
    "e164": e164,
    "digits": digits,
}
