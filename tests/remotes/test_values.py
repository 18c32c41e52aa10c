"""Whether a remote holds what we mean, however it spells it."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zimun_sync.remotes.values import digest, is_empty, same

_NINE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("there", "ours"),
    [
        ("2026-11-20T09:00:00Z", _NINE),
        ("2026-11-20T10:00:00+01:00", _NINE),
        (str(int(_NINE.timestamp() * 1000)), _NINE),
        (_NINE.astimezone(timezone(timedelta(hours=5))), _NINE),
        ("49.50", Decimal("49.5")),
        ("45", 45),
        (45.0, 45),
        ("true", True),
        ("False", False),
        ("2026-11-20", date(2026, 11, 20)),
        ("two\r\nlines ", "two\nlines"),
        (None, None),
        ("", None),
    ],
)
def test_the_same_in_other_words(there: Any, ours: Any) -> None:
    assert same(there, ours)


@pytest.mark.parametrize(
    ("there", "ours"),
    [
        ("2026-11-20T09:00:00+01:00", _NINE),
        ("half past nine", _NINE),
        ("45.1", 45),
        ("true", False),
        (None, "text"),
        ("text", None),
        ("Text", "text"),
    ],
)
def test_another_value(there: Any, ours: Any) -> None:
    assert not same(there, ours)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-14, 14))
def test_an_instant_is_the_same_in_every_zone(instant: datetime, hours: int) -> None:
    try:
        elsewhere = instant.astimezone(timezone(timedelta(hours=hours)))
    except OverflowError:
        return
    assert digest(elsewhere) == digest(instant)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_number_is_the_same_with_further_zeros(number: Decimal) -> None:
    assert same(f"{number:f}0", number)


def test_nothing_has_no_digest_and_zero_is_something() -> None:
    assert digest(None) == ""
    assert is_empty("")
    assert not is_empty(0)
    assert not is_empty(False)
