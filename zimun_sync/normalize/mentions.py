"""E-mail addresses and telephone numbers within texts, in every way they may be cut out."""

import re
from collections.abc import Iterator
from typing import Final

#: What may stand before the @, from there backwards, and after it.
_BEFORE: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+")
_AFTER: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*")
#: The same where letters of a script without blanks stand around it, or other words before it.
_NARROW: Final = re.compile(r"[a-zA-Z0-9.+-]*[a-zA-Z0-9]")
_NARROW_AFTER: Final = re.compile(r"[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)*")
_WORDS_BEFORE: Final = re.compile(r"[\w.+-]*\w")
#: An address has no more before the @ (RFC 5321); looking no further keeps long texts cheap.
_LONGEST: Final = 64
_LONGEST_WHOLE: Final = 320
#: Digits with what people put between them; figures of other numbers may follow.
_BETWEEN: Final = r"\s().\u2010-\u2015/-"
_NUMBER: Final = re.compile(rf"\+[0-9](?:[{_BETWEEN}]*[0-9]){{5,30}}")
_LAST_PART: Final = re.compile(rf"[{_BETWEEN}]+[0-9]+\Z")
_SEVERAL: Final = re.compile(r"[/,;|]|\b(?:ext|x|app|or|oder)\b\.?", re.IGNORECASE)
_LEAST_DIGITS: Final = 7


def addresses(text: str) -> Iterator[str]:
    """What may be an e-mail address in a text; a short text may be one as it stands."""
    if len(text) <= _LONGEST_WHOLE:
        yield text
    at = text.find("@")
    while at >= 0:
        backwards, behind = text[max(at - _LONGEST, 0) : at][::-1], text[at + 1 : at + 256]
        for before in (_BEFORE, _WORDS_BEFORE, _NARROW):
            local = _reversed_word(before, backwards)
            for after in (_AFTER, _NARROW_AFTER):
                domain = after.match(behind)
                if local and domain:
                    yield f"{local}@{domain[0]}"
        at = text.find("@", at + 1)


def _reversed_word(before: re.Pattern[str], backwards: str) -> str:
    found = before.match(backwards)
    return found[0][::-1] if found else ""


def numbers(text: str) -> Iterator[str]:
    """What may be a telephone number with its country code in a text."""
    for found in _NUMBER.findall(text):
        yield from _beginnings(found)


def numbers_alone(text: str) -> Iterator[str]:
    """What may be a telephone number in a text that is meant to be one, the whole text first."""
    yield text
    yield from numbers(text)
    parts = _SEVERAL.split(text)
    if len(parts) > 1:
        yield from (part for part in parts if sum(map(str.isdigit, part)) >= _LEAST_DIGITS)


def _beginnings(number: str) -> Iterator[str]:
    """The number, and what is left of it without its last parts: they may be another's."""
    while sum(map(str.isdigit, number)) >= _LEAST_DIGITS:
        yield number
        shorter = _LAST_PART.sub("", number)
        if shorter == number:
            return
        number = shorter
