"""One field's value: from what JSON held to what a stored row holds, or a refusal.

A wrong type is refused, never guessed at: a value that a sink shows is either the source's
own or absent.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import DECIMAL_PRECISION, DECIMAL_SCALE, to_micros

Converter = Callable[[Any, str], Any]

_INT64 = 2**63
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


def boolean(value: Any, field: str) -> bool | None:
    """True, false or null."""
    if value is None or type(value) is bool:
        return value
    raise wrong_type(field, value, "true or false")


def integer(value: Any, field: str) -> int | None:
    """A whole number of 64 bits; `30.0` counts as whole."""
    if type(value) is Decimal and value.is_finite() and value == value.to_integral_value():
        value = int(value)
    if value is None or (type(value) is int and -_INT64 <= value < _INT64):
        return value
    raise wrong_type(field, value, "a whole number")


def minutes(value: Any, field: str) -> int | None:
    """A length of time, whole minutes, between zero and ten years."""
    whole = integer(value, field)
    if whole is None or 0 <= whole <= 5_256_000:  # noqa: PLR2004 - ten years of minutes
        return whole
    raise RecordInvalid("out-of-range", f"Field {field!r} is not a plausible number of minutes.")


def moment(value: Any, field: str) -> datetime | None:
    """An ISO 8601 time with its offset, as an aware datetime."""
    if value is None:
        return None
    if type(value) is not str:
        raise wrong_type(field, value, "an ISO 8601 time")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise RecordInvalid("bad-time", f"Field {field!r} is not an ISO 8601 time.") from None
    if parsed.tzinfo is None:
        raise RecordInvalid("naive-time", f"Field {field!r} is a time without an offset.")
    return parsed


def instant(value: Any, field: str) -> int | None:
    """An ISO 8601 time with its offset, as microseconds since the epoch, UTC."""
    parsed = moment(value, field)
    return None if parsed is None else to_micros(parsed)


def json_text(value: Any, field: str) -> str | None:  # noqa: ARG001 - a Converter's shape
    """Any JSON value as compact JSON text with sorted keys."""
    return None if value is None else _JSON.encode(value).decode()


def amount(value: Any, field: str) -> str | None:
    """An exact decimal, given as a number or as a string, in plain notation."""
    if value is None:
        return None
    if type(value) not in (str, int, Decimal):
        raise wrong_type(field, value, "a decimal number")
    return _amount(value, field)


@lru_cache(maxsize=8192)
def _amount(value: str | int | Decimal, field: str) -> str:
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
    return f"{abs(number) if number == 0 else number:f}"


def _fits(number: Decimal) -> bool:
    if number == 0:
        return True
    whole_digits = number.adjusted() + 1
    exponent = number.normalize().as_tuple().exponent
    return (
        whole_digits <= DECIMAL_PRECISION - DECIMAL_SCALE
        and isinstance(exponent, int)
        and exponent >= -DECIMAL_SCALE
    )
