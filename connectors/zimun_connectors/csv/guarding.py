"""Texts as cells that every reader of CSV tells apart and no spreadsheet runs.

A cell is quoted where RFC 4180 asks for it, and where it is an empty text: NULL is an empty
cell without quotes, so the two stay apart.
"""

import re

#: Characters that begin a formula in some spreadsheet: the four of ASCII and what Unicode's
#: compatibility forms fold to them.
TRIGGERS = (
    "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207a\u208a\u207c\u208c\ufb29\u2a75\u2a76"
)

#: What a spreadsheet may skip before a formula: ASCII controls, every kind of space, and
#: characters without width.
SKIPPED = (
    "\x00-\x20\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
)

#: How a text begins that gets an apostrophe. One that begins with an apostrophe gets another,
#: so that taking one away always gives the text back.
GUARDED = f"(?:[{SKIPPED}]*[{re.escape(TRIGGERS)}]|['\t\r\n])"

#: An E.164 number, which a spreadsheet takes for a number and every other reader for what it is.
PHONE = r"\+[1-9][0-9]{6,14}"

_guarded = re.compile(GUARDED).match
_phone = re.compile(PHONE).fullmatch


def guard(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet might run it."""
    return f"'{text}" if _guarded(text) and not _phone(text) else text


def quote(text: str, delimiter: str) -> str:
    """The text, in quotes if a reader of CSV needs them."""
    if '"' in text:
        doubled = text.replace('"', '""')
        return f'"{doubled}"'
    if text and delimiter not in text and "\n" not in text and "\r" not in text:
        return text
    return f'"{text}"'
