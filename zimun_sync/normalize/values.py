"""One field's value: from what JSON held to what a stored row holds, or a refusal.

A wrong type is refused, never guessed at: a value that a sink shows is either the source's
own or absent.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, cast

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import DECIMAL_PRECISION, DECIMAL_SCALE, to_micros

#: From a field's JSON value, which is not null, and its name to the stored value.
Converter = Callable[[Any, str], Any]

_INT64 = 2**63
_LONGEST_KEY = 500  # characters; any database can index that many
_INT64_DIGITS = 19
_FIRST = to_micros(datetime.min.replace(tzinfo=UTC))
_LAST = to_micros(datetime.max.replace(tzinfo=UTC))
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MOST_MINUTES = 5_256_000  # ten years
_EXACT = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX)
_JSON = msgspec.json.Encoder(order="sorted", decimal_format="number")


def wrong_type(field: str, value: Any, expected: str) -> RecordInvalid:
    """The refusal for a field whose JSON type is not the expected one."""
    return RecordInvalid(
        "wrong-type", f"Field {field!r} should be {expected}, but is {_json_type(value)}."
    )


def _json_type(value: Any) -> str:
    names = {str: "a string", bool: "a boolean", int: "a number", Decimal: "a number"}
    return names.get(type(value), "an array" if isinstance(value, list) else "an object")


def text(value: Any, field: str) -> str | None:
    """A string as given; null stays null."""
    if value is None or type(value) is str:
        return value
    raise wrong_type(field, value, "a string")


def identifier(value: Any, field: str) -> str | None:
    """A reference to a record: a string, or an integer written as one; blank is null."""
    if value is None or (type(value) is str and value):
        return value
    if type(value) is int:
        return str(value)
    if value == "":
        return None
    raise wrong_type(field, value, "a string")


def key(value: Any, field: str) -> str | None:
    """The identifier of the record itself, which every database must be able to index."""
    own = identifier(value, field)
    if own is not None and (len(own) > _LONGEST_KEY or "\0" in own):
        raise RecordInvalid("bad-id", f"Field {field!r} is no plausible identifier.")
    return own


def are_keys(given: Sequence[str | None]) -> bool:
    """Whether `key` would take every one of these identifiers, and none is null."""
    if None in given:
        return False
    known = cast("Sequence[str]", given)
    return max(map(len, known), default=0) <= _LONGEST_KEY and "\0" not in "".join(known)


def boolean(value: Any, field: str) -> bool:
    """True or false."""
    if type(value) is bool:
        return value
    raise wrong_type(field, value, "true or false")


def integer(value: Any, field: str) -> int:
    """A whole number of 64 bits; `30.0` counts as whole."""
    if type(value) is Decimal and _is_small_integer(value):
        value = int(value)
    if type(value) is int and -_INT64 <= value < _INT64:
        return value
    raise wrong_type(field, value, "a whole number of at most 64 bits")


def _is_small_integer(value: Decimal) -> bool:
    """Whether it is whole and worth turning into an integer, which 1e999999999 is not."""
    return value.adjusted() < _INT64_DIGITS and value == value.to_integral_value()


def minutes(value: Any, field: str) -> int:
    """A length of time, whole minutes, between zero and ten years."""
    if type(value) is int and 0 <= value <= _MOST_MINUTES:
        return value
    whole = integer(value, field)
    if 0 <= whole <= _MOST_MINUTES:
        return whole
    raise RecordInvalid("out-of-range", f"Field {field!r} is not a plausible number of minutes.")


def moment(value: Any, field: str) -> datetime:
    """An ISO 8601 time with its offset, as an aware datetime."""
    if type(value) is not str:
        raise wrong_type(field, value, "an ISO 8601 time")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise RecordInvalid("bad-time", f"Field {field!r} is not an ISO 8601 time.") from None
    if parsed.tzinfo is None:
        raise RecordInvalid("naive-time", f"Field {field!r} is a time without an offset.")
    return parsed


def instant(value: Any, field: str) -> int:
    """An ISO 8601 time with its offset, as microseconds since the epoch, UTC."""
    return within_calendar(to_micros(moment(value, field)))


def local_moment(value: Any, field: str) -> tuple[int, int]:
    """An ISO 8601 time with its offset: microseconds since the epoch, UTC; and the offset, seconds.

    It may lie outside the calendar, see `within_calendar`.
    """
    parsed = moment(value, field)
    return to_micros(parsed), _seconds(parsed.utcoffset())


def _seconds(offset: timedelta | None) -> int:
    return int(offset.total_seconds()) if offset else 0


def day(value: Any, field: str) -> int:
    """An ISO 8601 date, `YYYY-MM-DD`, as days since 1970-01-01."""
    if type(value) is not str:
        raise wrong_type(field, value, "an ISO 8601 date")
    try:
        parsed = date.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.isoformat() != value:
        raise RecordInvalid("bad-date", f"Field {field!r} is not an ISO 8601 date.")
    return parsed.toordinal() - _EPOCH_DAY


def within_calendar(micros: int) -> int:
    """The time, if a date can be made of it: microseconds since the epoch, years 1 to 9999.

    Raises:
        RecordInvalid: it is earlier or later.
    """
    if _FIRST <= micros <= _LAST:
        return micros
    raise RecordInvalid("out-of-range", "The time is outside the calendar.")


def json_text(value: Any, field: str) -> str:  # noqa: ARG001 - a Converter's shape
    """Any JSON value as compact JSON text with sorted keys."""
    return _JSON.encode(value).decode()


def amount(value: Any, field: str) -> str | None:
    """An exact decimal, given as a number or as a string, in plain notation."""
    if type(value) is str:
        return _amount(value, field)
    if value is None:
        return None
    if type(value) not in (int, Decimal):
        raise wrong_type(field, value, "a decimal number")
    # As text: 45 and 45.00 are equal keys of a cache, but not the same text.
    return _amount(str(value), field)


@lru_cache(maxsize=8192)
def _amount(value: str, field: str) -> str:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise RecordInvalid("bad-decimal", f"Field {field!r} is not a decimal number.") from None
    if not number.is_finite() or not _fits(number):
        raise RecordInvalid(
            "out-of-range",
            f"Field {field!r} needs more than {DECIMAL_PRECISION - DECIMAL_SCALE} whole "
            f"or {DECIMAL_SCALE} fractional digits.",
        )
    return _plain(number)


def _fits(number: Decimal) -> bool:
    whole_digits = number.adjusted() + 1
    fits = whole_digits <= DECIMAL_PRECISION - DECIMAL_SCALE and _decimals(number) <= DECIMAL_SCALE
    return number == 0 or fits


def _decimals(number: Decimal) -> int:
    """Fractional digits, without zeros at the end."""
    exponent = number.normalize(_EXACT).as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _plain(number: Decimal) -> str:
    if number == 0:
        return "0"
    given = number.as_tuple().exponent
    excess = isinstance(given, int) and -given > DECIMAL_SCALE
    return f"{number.normalize(_EXACT) if excess else number:f}"
