"""Error bodies into one line fit for a message."""

import re
from collections.abc import Collection
from typing import Any, Final

import msgspec

_LONGEST_REMARK: Final = 200
_SHORTEST_PRIVATE: Final = 3
_SHORTEST_SECRET: Final = 8

#: Where APIs put a word or a sentence about an error, the most telling first.
_REMARKS: Final = ("error", "code", "message", "error_description", "detail", "title")

_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
#: Seven digits or more, as phone numbers have, unless they make up an ISO date.
_PHONE = re.compile(r"(?<!\d)(?!\d{4}-\d\d-\d\d)\+?\d(?:[ ()/.-]{0,2}\d){6,}")


def remark(body: bytes, private: Collection[str] = ()) -> str:
    """What an error body says, on one line, without what may be personal.

    Args:
        body: the answer, which may be anything.
        private: values the request held; where the answer repeats them they are left out.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""  # a proxy's page or nothing: the status has to do
    said = "; ".join(dict.fromkeys(_sentences(content)))
    return _discreet(" ".join(said.split()), private)[:_LONGEST_REMARK]


def _sentences(content: Any) -> list[str]:
    """The strings of an error object, and of one nested in its place."""
    if not isinstance(content, dict):
        return []
    found: list[str] = []
    for key in _REMARKS:
        value = content.get(key)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            found += [word for name in _REMARKS if isinstance(word := value.get(name), str)]
    return found


def without(text: str, private: Collection[str]) -> str:
    """A text in which each of these values of three characters or more is left out."""
    for value in sorted(private, key=len, reverse=True):
        if len(value) >= _SHORTEST_PRIVATE:
            text = re.sub(re.escape(value), "…", text, flags=re.IGNORECASE)
    return text


def without_secrets(body: bytes, secrets: Collection[str]) -> bytes:
    """An error body in which no credential of eight characters or more is repeated.

    Left out where they stand as they are or as JSON has them, so that whatever a connector
    makes of the body shows none.
    """
    spelt = {
        secret.encode(errors="replace") for secret in secrets if len(secret) >= _SHORTEST_SECRET
    }
    spelt |= {msgspec.json.encode(secret.decode())[1:-1] for secret in spelt}
    for secret in sorted(spelt, key=len, reverse=True):
        body = body.replace(secret, "…".encode())
    return body


def _discreet(text: str, private: Collection[str]) -> str:
    text = _PHONE.sub("…", _EMAIL.sub("…", without(text, private)))
    return "".join(mark for mark in text if mark.isprintable())
