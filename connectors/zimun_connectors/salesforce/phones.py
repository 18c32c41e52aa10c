"""Telling phone numbers apart that people typed in any way.

Salesforce keeps a phone number as it was typed. A query can only narrow it down, to numbers that
hold the wanted last digits in this order, with anything between them; whether it is the same
number is decided here, with the rules of the wanted number's country.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import phonenumbers

#: Last digits that a number is narrowed down by: enough to be rare, few enough to be there
#: however the number is spelled.
_LAST: Final = 7

_NOT_DIGITS: Final = re.compile(r"[^0-9]")


def pattern(phone: str) -> str:
    """The pattern for SOQL's LIKE that every spelling of an E.164 number meets."""
    return "".join(f"%{digit}" for digit in _last(phone))


class Phones:
    """Wanted numbers, ready to be recognized.

    Args:
        wanted: E.164.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        self._by_last: dict[str, list[str]] = defaultdict(list)
        for phone in wanted:
            self._by_last[_last(phone)].append(phone)

    def meant_by(self, typed: str) -> Sequence[str]:
        """The wanted numbers that a typed one is. A number with an extension is none of them."""
        near = self._by_last.get(_last(typed), ())
        return [phone for phone in near if _is_same(typed, phone)]


def _last(phone: str) -> str:
    return _NOT_DIGITS.sub("", phone)[-_LAST:]


def _is_same(typed: str, phone: str) -> bool:
    try:
        wanted = phonenumbers.parse(phone)
        region = phonenumbers.region_code_for_country_code(wanted.country_code or 0)
        return phonenumbers.parse(typed, region) == wanted
    except phonenumbers.NumberParseException:
        return False
