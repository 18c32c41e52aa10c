"""Record ids: 15 characters whose case counts, or 18 that differ without regard to it."""

from typing import Final

SHORT, LONG = 15, 18

_SUFFIX: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def long_id(record_id: str) -> str:
    """The id of 18 characters, which answers have."""
    return record_id + _suffix(record_id) if len(record_id) == SHORT else record_id


def _suffix(short: str) -> str:
    """Which letters of each five are capitals."""
    fives = (short[place : place + 5] for place in range(0, SHORT, 5))
    return "".join(
        _SUFFIX[sum(1 << place for place, letter in enumerate(five) if letter.isupper())]
        for five in fives
    )
