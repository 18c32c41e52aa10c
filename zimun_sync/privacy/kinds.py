"""What a text is: an e-mail address, a phone number, or anything else."""

import re
from enum import Enum, auto
from typing import Final

#: With a domain that looks like one: what stands there may be shown.
_EMAIL: Final = re.compile(r"[^@\s]+@(?:[\w-]+\.)+[^\W\d_]{2,}")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_EMAIL_COLUMNS: Final = frozenset({"contact_email", "email"})
_PHONE_COLUMNS: Final = frozenset({"contact_phone", "phone"})


class Kind(Enum):
    """What a text is treated as."""

    EMAIL = auto()
    PHONE = auto()
    TEXT = auto()


def kind_of(column: str, text: str) -> Kind:
    """What a column's text is, by the column's name or else by its looks.

    Args:
        column: the column's name.
        text: without blanks around it.
    """
    if is_address(column, text):
        return Kind.EMAIL
    return Kind.PHONE if column in _PHONE_COLUMNS or is_e164(text) else Kind.TEXT


def is_address(column: str, text: str) -> bool:
    """Whether a column's text counts as an e-mail address, by its place or by its looks."""
    return column in _EMAIL_COLUMNS or is_email(text)


def is_email(text: str) -> bool:
    """Whether a text is an e-mail address and nothing else."""
    return "@" in text and _EMAIL.fullmatch(text) is not None


def is_e164(text: str) -> bool:
    """Whether a text is a phone number with its country's prefix, in the form of E.164."""
    return text.startswith("+") and _E164.fullmatch(text) is not None
