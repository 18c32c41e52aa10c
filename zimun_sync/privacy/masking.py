"""Masked values: enough to recognize what one knows already, too little to learn it."""

from functools import cache
from typing import Final

from zimun_sync.privacy.kinds import Kind, is_e164, is_email, kind_of

HIDDEN: Final = "***"
#: A shorter number would be known by its prefix and its last two digits.
_LEAST_DIGITS: Final = 7
_LONGEST_PREFIX: Final = 3


def mask_text(column: str, text: str) -> str:
    """A text masked; an empty one stays empty.

    An e-mail address keeps its first letter and its domain, a phone number its country's prefix
    and last two digits, any other text its first character. What is too short for that is hidden.

    Args:
        column: the column's name.
        text: its value.
    """
    bare = text.strip()
    if not bare:
        return ""
    kind = kind_of(column, bare)
    if kind is Kind.PHONE:
        return _phone(bare)
    return _email(bare) if is_email(bare) else _text(bare)


def mask_value(_value: str) -> str:
    """A value of a document masked: nothing tells what it is, so nothing of it stays."""
    return HIDDEN


def _email(address: str) -> str:
    name, _, domain = address.rpartition("@")
    return f"{_text(name)}@{domain}"


def _text(text: str) -> str:
    return HIDDEN if len(text) == 1 else text[0] + HIDDEN


def _phone(number: str) -> str:
    digits = [each for each in number if each.isdigit()]
    if len(digits) < _LEAST_DIGITS:
        return HIDDEN
    prefix = _prefix(number[1 : 1 + _LONGEST_PREFIX]) if is_e164(number) else ""
    return f"{prefix}{HIDDEN}{digits[-2]}{digits[-1]}"


@cache
def _prefix(digits: str) -> str:
    """The country's prefix that a number begins with, empty if there is no such country."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE as COUNTRIES  # takes long to import

    lengths = range(1, _LONGEST_PREFIX + 1)
    return next((f"+{digits[:n]}" for n in lengths if int(digits[:n]) in COUNTRIES), "")
