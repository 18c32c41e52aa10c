"""Headers that tell a time."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

#: A longer Retry-After is taken as this, a year: it only has to be far away.
RETRY_AFTER_MOST: Final = 366 * 86_400.0


def http_date(value: str | None) -> float | None:
    """Seconds since the epoch of an RFC 9110 §5.6.7 date; None where it is none."""
    try:
        moment = parsedate_to_datetime(value or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def retry_after(value: str | None, *, date: str | None, received: float) -> float | None:
    """Seconds that a server asks to wait from now; 0 for a time past, None where it asks nothing.

    Dates are compared with the answer's own `Date`, so that clocks need not agree. What is
    neither a number of seconds nor a date (RFC 9110 §10.2.3) counts as nothing.

    Args:
        value: the `Retry-After` header.
        date: the `Date` header.
        received: when the answer came, seconds since the epoch; stands in for a missing `date`.
    """
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return min(float(value), RETRY_AFTER_MOST)
    until = http_date(value)
    if until is None:
        return None
    now = http_date(date)
    return min(max(0.0, until - (received if now is None else now)), RETRY_AFTER_MOST)
