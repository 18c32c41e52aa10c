"""Arrow values as Python values for JSON, and as text for people and CSV. Nothing is rounded."""

import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
import pyarrow as pa

#: Types whose values JSON, or a CSV writer, takes as they are.
_PLAIN: Final[tuple[Callable[[pa.DataType], bool], ...]] = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_null,
    pa.types.is_decimal,
)
_NUMBERS = msgspec.json.Encoder(decimal_format="number")


def is_plain(kind: pa.DataType) -> bool:
    """Whether values of this type need no spelling in CSV or JSON."""
    return any(test(kind) for test in _PLAIN)


def values(column: pa.Array, *, document: bool = False) -> list[Any]:
    """The column's values for JSON; NULL is None.

    Instants, wall-clock times and dates are ISO 8601, the first with their offset; intervals are
    ISO 8601 durations, bytes hexadecimal, decimals `Decimal`.

    Args:
        column: of any Arrow type.
        document: whether it is text that holds JSON, to be taken as such.
    """
    if document:
        return [None if text is None else _compact(text) for text in column.to_pylist()]
    if is_plain(column.type):
        return list(column.to_pylist())
    return [None if value is None else _spelled(value) for value in _python(column)]


def texts(column: pa.Array) -> list[str | None]:
    """The column's values as text; nested ones are JSON."""
    return [None if value is None else _text(value) for value in values(column)]


def encode(row: dict[str, Any]) -> bytes:
    """A row of `values` as JSON; decimals are numbers with all their digits."""
    return _NUMBERS.encode(row)


def _compact(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.format(text.encode(), indent=-1))


def _python(column: pa.Array) -> list[Any]:
    try:
        return list(column.to_pylist(maps_as_pydicts="strict"))
    except (OverflowError, ValueError):
        return [_scalar(value) for value in column]


def _scalar(value: pa.Scalar) -> Any:
    """One value of a column that holds times beyond what Python knows, such as infinity."""
    try:
        return value.as_py(maps_as_pydicts="strict")
    except (OverflowError, ValueError):
        number = value.cast(pa.int32() if pa.types.is_date32(value.type) else pa.int64()).as_py()
        if abs(number) in {2**31 - 1, 2**63 - 1}:
            return "infinity" if number > 0 else "-infinity"
        return str(value.cast(pa.string()).as_py())


def _spelled(value: Any) -> Any:
    match value:
        case dict():
            return {str(_spelled(key)): _spelled(each) for key, each in value.items()}
        case list():
            return [_spelled(each) for each in value]
        case bytes():
            return value.hex()
        case float() if not math.isfinite(value):
            return str(value)  # JSON has no number for these
        case _:
            return _time(value)


def _time(value: Any) -> Any:
    """A point or length of time as ISO 8601; anything else as it is."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case pa.MonthDayNano():
            return _duration(value.months, value.days, Decimal(value.nanoseconds) / 10**9)
        case timedelta():
            return _duration(
                0, value.days, Decimal(value.seconds * 10**6 + value.microseconds) / 10**6
            )
        case _:
            return value


def _duration(months: int, days: int, seconds: Decimal) -> str:
    parts = [f"{months}M" * bool(months), f"{days}D" * bool(days)]
    clock = f"T{seconds.normalize():f}S" * bool(seconds)
    return f"P{''.join(parts)}{clock}" if any(parts) or clock else "PT0S"


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case int() | float():
            return str(value)
        case _:
            return _NUMBERS.encode(value).decode()
