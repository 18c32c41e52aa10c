"""Taking secrets and personal data out of whatever is about to be logged.

Secrets are known by value and by shape; e-mail addresses and phone numbers by shape. Names of
people have no shape: nothing that is logged on purpose carries them, and they are taken out
where a field says what it holds. Every pattern starts at a place where a word starts, so that
a long text costs no more than its length.
"""

import json
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

REDACTED: Final = "[redacted]"
#: A shorter value would be found in words that have nothing to do with it.
_LEAST: Final = 4
_DEEPEST: Final = 8

#: Fields whose value is a secret or someone's own, in any spelling of their names.
_FIELDS: Final = (
    "authorization|proxy[-_]authorization|(?:set[-_])?cookie|x[-_]api[-_]key|api[-_]?key"
    "|access[-_]token|refresh[-_]token|id[-_]token|client[-_]secret|webhook[-_]secrets?|secret"
    "|password|passwd|(?:webhook|x)[-_]signature"
    "|(?:contact|customer|client|first|last|full)[-_]name|(?:contact[-_])?(?:e?mail|phone|mobile)"
    "|notes?|date[-_]of[-_]birth|birthday"
)
_FIELD: Final = re.compile(_FIELDS, re.IGNORECASE)

#: How a text may go about a quotation mark: in JSON within JSON it stands behind backslashes.
_QUOTE: Final = r"\\{0,7}[\"']"
#: From a quotation mark to the next one like it; to the end of the line where that was cut off.
_QUOTED: Final = r"(?P<mark>\\{0,7}[\"'])(?:.*?(?<!\\)(?P=mark)|.*)"
_SCHEME: Final = "(?:bearer|basic|digest|token)"
_WORD: Final = r"[^\s&;,\"'(){}\[\]\\]+"
_UNLESS_DONE: Final = r"(?!\[redacted)"
_LOCAL: Final = r"[^\s@<>\"'()\[\]{},;:=/\\|&?]"
_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"

_SHAPES: Final = (
    # Authorization: Bearer …; Cookie: …; an address with a password; a query or a form
    (
        rf"\b((?:proxy-)?authorization|x-api-key)(\s*[:=]\s*)(?:{_SCHEME}\s+)?{_UNLESS_DONE}{_WORD}",
        rf"\1\2{REDACTED}",
    ),
    (r"\b((?:set-)?cookie)(:\s*)[^\r\n\"']+", rf"\1\2{REDACTED}"),
    (r"\bbearer\s+[\w.~+/=-]{8,}", f"Bearer {REDACTED}"),
    (r"\bwhsec_[\w+/=-]+", f"whsec_{REDACTED}"),
    (r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*", REDACTED),
    (r"(?<=://)[^\s/?#@\"':]{0,256}:[^\s?#\"']{0,256}@", f"{REDACTED}@"),
    (rf"\b({_FIELDS})={_UNLESS_DONE}(?:{_QUOTED}|{_WORD})", rf"\1={REDACTED}"),
    # "contact_name": "Ana", in JSON, in dicts and in pairs
    (
        rf"({_QUOTE})({_FIELDS})({_QUOTE}\s*[:,]\s*){_UNLESS_DONE}(?:b?{_QUOTED}|{_WORD})",
        rf"\1\2\3{REDACTED}",
    ),
    # what pydantic and PostgreSQL quote of the values that they refuse
    (r"\binput_value=.*?(?=, input_type=|$)", f"input_value={REDACTED}"),
    (r"^(DETAIL|CONTEXT):.*$", rf"\1: {REDACTED}"),
    # e-mail addresses, also with an encoded @; the user in a database's address stays
    (rf"(?<!://)(?<!{_LOCAL}){_LOCAL}+(?:@|%40)(?:{_LABEL}\.)+[^\W\d_]{{2,}}", REDACTED),
)
_PATTERNS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), replacement)
    for pattern, replacement in _SHAPES
)

_SPACE: Final = r"[ \t\N{NO-BREAK SPACE}]"
_NOT_AMID: Final = r"(?<![\w.+/-])(?<!\d:)"
_DATE: Final = r"\d\d?[-/]\d\d?[-/](?:\d\d){1,2}(?![-/\d])"
_NOT_ON: Final = r"(?![\w:-]|\.\d)"
#: Phone numbers: +49 30 123456 · 030/123456, 0049 30 123456 · (415) 555-2671 · 415.555.2671.
#: Bare digits without + or 0 in front could as well be a count or a time, and stay.
_PHONES: Final = (
    rf"(?<![\w+])(?:\+|%2B)[1-9](?:{_SPACE}?[-./()]{{0,2}}{_SPACE}?\(?\d){{6,14}}(?!\d)",
    rf"{_NOT_AMID}(?!{_DATE})0\d(?:{_SPACE}?[-/()]?{_SPACE}?\d){{6,15}}{_NOT_ON}",
    rf"{_NOT_AMID}(?:1[-. ])?(?:\(\d{{3}}\){_SPACE}?|\d{{3}}[-. ])\d{{3}}[-. ]\d{{4}}{_NOT_ON}",
)
_PHONE: Final = re.compile("|".join(_PHONES))
_BASIC: Final = re.compile(r"\bbasic\s+([A-Za-z0-9+/_-]+=*)", re.IGNORECASE)
#: What else could steer a terminal, or end a line before its time.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


class Redactor:
    """Takes secrets and personal data out of texts.

    Args:
        secrets: values that must never be shown; those under four characters are passed over.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spelt = {spelling for secret in secrets for spelling in _spellings(secret)}
        long_first = sorted(spelt, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, long_first))) if spelt else None

    def text(self, text: str) -> str:
        """The text without them."""
        if self._secrets is not None:
            text = self._secrets.sub(REDACTED, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        text = _BASIC.sub(_basic, text)
        text = _PHONE.sub(REDACTED, text)
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)

    def value(self, value: Any, depth: int = 0) -> Any:
        """The value without them, at any depth; what is no plain data becomes text."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth > _DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            return {
                self.text(str(name)): self.field(str(name), each, depth + 1)
                for name, each in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(each, depth + 1) for each in value]
        return self.text(_plain(value))

    def field(self, name: str, value: Any, depth: int = 0) -> Any:
        """A named value without them."""
        return REDACTED if _FIELD.fullmatch(name) and value else self.value(value, depth)


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode(errors="backslashreplace")
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a value that cannot be shown must not stop the work
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _basic(found: re.Match[str]) -> str:
    """Credentials, unless it is just a word after `basic`."""
    encoded = found[1].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except NotBase64:
        return found[0]
    return f"Basic {REDACTED}" if b":" in decoded else found[0]


def _spellings(secret: str) -> set[str]:
    """A secret as it stands, and as it stands in code, in JSON, in addresses, without its kind."""
    kindless = secret.removeprefix("whsec_")
    spelt = {secret, kindless, kindless.rstrip("=")}
    spelt |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    spelt |= {repr(secret)[1:-1], repr(secret.encode(errors="replace"))[2:-1]}
    spelt |= {quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace")}
    return {each for each in spelt if len(each) >= _LEAST}
