"""Telling whether a remote system holds the value that we mean, however it spells it."""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

_EPOCH_MS_DIGITS = 12


def digest(value: Any) -> str:
    """A short digest of a value's meaning; equal for equal meanings, empty for None."""
    if value is None:
        return ""
    return blake2b(_canonical(value).encode(errors="replace"), digest_size=8).hexdigest()


def is_empty(present: Any) -> bool:
    """Whether a remote field holds nothing."""
    return present is None or present in ("", [], {})


def same(present: Any, ours: Any) -> bool:
    """Whether a field's present value there means what our value does."""
    if ours is None or is_empty(present):
        return is_empty(present) and is_empty(ours)
    return digest(coerced(present, ours)) == digest(ours)


def coerced(present: Any, like: Any) -> Any:
    """A remote's value in the type of one of ours, where it can be read so."""
    try:
        return _coerced(present, like)
    except (ValueError, InvalidOperation, OverflowError):
        return present


def _coerced(present: Any, like: Any) -> Any:
    if not isinstance(present, str):
        return present
    match like:
        case bool():
            return {"true": True, "false": False}[present.lower()] if _is_flag(present) else present
        case int() | float() | Decimal():
            return Decimal(present)
        case datetime():
            return _instant(present)
        case date():
            return date.fromisoformat(present)
        case _:
            return present


def _is_flag(text: str) -> bool:
    return text.lower() in ("true", "false")


def _instant(text: str) -> Any:
    if text.isdigit() and len(text) >= _EPOCH_MS_DIGITS:
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    return datetime.fromisoformat(text)


def _canonical(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return format(Decimal(str(value)).normalize(), "f")
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case str():
            return value.replace("\r\n", "\n").strip()
        case _:
            return repr(value)
