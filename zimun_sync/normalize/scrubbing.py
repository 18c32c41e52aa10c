"""Records of people who asked to be forgotten, without anything that is about them.

A record is such a person's if it has their address, number or key where customers or staff are
named. Of it only fields that are known and not personal stay. Where another record mentions the
address or number, only the value that does so goes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from zimun_sync.model import APPOINTMENTS, STAFF, ColumnType, Row, Stream
from zimun_sync.normalize.fields import fields_of
from zimun_sync.normalize.places import Places
from zimun_sync.normalize.rules import Rules

#: Columns that tell whose record it is.
_EMAILS: Final[Mapping[str, str]] = {APPOINTMENTS.name: "contact_email", STAFF.name: "email"}
_PHONES: Final[Mapping[str, str]] = {APPOINTMENTS.name: "contact_phone", STAFF.name: "phone"}
_DOMAIN: Final = r"[\w-]+(?:\.[\w-]+)*"
_ADDRESS: Final = re.compile(rf"[\w.!#$%&'*+/=?^`{{|}}~-]+@{_DOMAIN}")
#: What of it is the address, where other words stand right before it.
_ADDRESS_ALONE: Final = re.compile(rf"\w[\w.+-]*@{_DOMAIN}")
_NUMBER: Final = re.compile(r"\+[0-9][0-9 ()./-]{5,20}[0-9]")
#: What takes the place of an item that cannot be read and mentions someone.
_NOTHING: Final = b"null"

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError)
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Scrubber:
    """Removes what is about people who asked to be forgotten.

    Args:
        stream: what the records are.
        rules: names of fields, and who asked.
        places: countries whose rules read telephone numbers.
    """

    def __init__(self, stream: Stream, rules: Rules, places: Places) -> None:
        self._who = rules.forgotten
        self._rules = rules
        self._places = places
        self._stream = stream
        names = rules.fields.get(stream.name, {})
        fields = {each.column: each.names for each in fields_of(stream, names)}
        personal = {column.name for column in stream.content if column.personal}
        priced = "price_amount" in (column.name for column in stream.content)
        self._kept = {
            name for column, given in fields.items() if column not in personal for name in given
        }.union(names.get("price", ("price",)) if priced else ())
        self._keys = fields[stream.key]
        self._emails = fields.get(_EMAILS.get(stream.name, ""), ())
        self._phones = fields.get(_PHONES.get(stream.name, ""), ())
        self._locations = fields.get("location_id", ())
        self._columns = [column.name for column in stream.content]
        self._personal = [column.personal for column in stream.content]

    def __bool__(self) -> bool:
        return bool(self._who)

    def items(self, items: Sequence[bytes]) -> Sequence[bytes]:
        """The items as they would be, had the source never told of those people.

        The same bytes where nothing is about them; doing it again changes nothing.
        """
        return [self._item(item) for item in items] if self._who else items

    def row(self, key: str, row: Row) -> Row:
        """A stored row of which the source's content is not kept; the same where nothing is."""
        if not self._who:
            return row
        named = dict(zip(self._columns, row, strict=False))
        if self._is_theirs(key, named.get(_EMAILS.get(self._stream.name, "")), self._phone(named)):
            bare = zip(row, self._personal, strict=False)
            return tuple(None if personal else value for value, personal in bare)
        clean = tuple(self._unmentioned(value, kind) for value, kind in self._typed(row))
        return row if clean == row[: len(clean)] else (*clean, *row[len(clean) :])

    def names(self, key: str | None) -> bool:
        """Whether someone asked for this very record to be forgotten."""
        return key is not None and self._who.name("id", key)

    def text(self, text: str) -> str | None:
        """A message; None if it mentions one of those people."""
        return None if self._mentions(text) else text

    def anything(self, raw: bytes) -> bytes | None:
        """Bytes of unknown shape; None if they mention one of those people."""
        text = raw.decode(errors="replace")
        if self._mentions(text):
            return None
        try:
            return None if any(map(self._mentions, _texts(_decode(raw)))) else raw
        except _UNREADABLE:
            return raw

    def bare(self, raw: bytes) -> bytes:
        """JSON of any shape without values that mention one of those people.

        The same bytes where none does, and null instead of what is no JSON and does.
        """
        try:
            return self._without_mentions(_decode(raw), raw)
        except _UNREADABLE:
            return _NOTHING if self._mentions(raw.decode(errors="replace")) else raw

    def _item(self, raw: bytes) -> bytes:
        try:
            content = _decode(raw)
        except _UNREADABLE:
            return self.bare(raw)
        if type(content) is not dict:
            return _NOTHING if any(map(self._mentions, _texts(content))) else raw
        if self._is_about_them(content):
            kept = {name: value for name, value in content.items() if name in self._kept}
            return self._without_mentions(kept, raw if len(kept) == len(content) else None)
        return self._without_mentions(content, raw)

    def _is_about_them(self, content: Mapping[str, Any]) -> bool:
        keys = _words(content, self._keys)
        emails, phones = _words(content, self._emails), _words(content, self._phones)
        region = self._region(next(_words(content, self._locations), None))
        return (
            any(self._who.name("id", key) for key in keys)
            or any(self._who.name("email", email) for email in emails)
            or any(self._who.any_phone(number, region) for number in phones)
        )

    def _is_theirs(self, key: str, email: Any, number: Any) -> bool:
        who = self._who
        return (
            who.name("id", key)
            or (isinstance(email, str) and who.name("email", email))
            or (isinstance(number, str) and who.any_phone(number, None))
        )

    def _phone(self, named: Mapping[str, Any]) -> Any:
        return named.get(_PHONES.get(self._stream.name, ""))

    def _region(self, location: str | None) -> str | None:
        return self._places.at(location).region or self._rules.phone_region

    def _without_mentions(self, content: Any, raw: bytes | None) -> bytes:
        """The content as JSON without values that mention someone; `raw` where it has none."""
        clean = _mapped(content, self._mentions)
        return raw if raw is not None and clean == content else _encode(clean)

    def _mentions(self, text: str) -> bool:
        addresses = _addresses(text) if "@" in text else ()
        numbers = _NUMBER.findall(text) if "+" in text else ()
        return any(self._who.name("email", each) for each in addresses) or any(
            self._who.any_phone(each, None) for each in numbers
        )

    def _typed(self, row: Row) -> Iterator[tuple[Any, ColumnType]]:
        return (
            (value, column.type) for value, column in zip(row, self._stream.content, strict=False)
        )

    def _unmentioned(self, value: Any, kind: ColumnType) -> Any:
        if type(value) is not str:
            return value
        if kind is ColumnType.JSON:
            clean = self._without_mentions(_decode(value), value.encode())
            return clean.decode()
        return self.text(value)


def _words(content: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """What identifies someone in these fields, as text."""
    given = (content.get(name) for name in names)
    return (str(value) for value in given if isinstance(value, (str, int)))


def _addresses(text: str) -> Iterator[str]:
    """What may be an e-mail address in a text."""
    for found in _ADDRESS.findall(text):
        yield found
        yield from _ADDRESS_ALONE.findall(found)


def _texts(content: Any) -> Iterator[str]:
    """Every text in JSON content, names of fields included."""
    match content:
        case str():
            yield content
        case dict():
            for name, value in content.items():
                yield name
                yield from _texts(value)
        case list():
            for each in content:
                yield from _texts(each)


def _mapped(content: Any, is_out: Callable[[str], bool]) -> Any:
    """JSON content with null for texts that are out, and without fields whose names are."""
    match content:
        case str():
            return None if is_out(content) else content
        case dict():
            return {
                name: _mapped(value, is_out) for name, value in content.items() if not is_out(name)
            }
        case list():
            return [_mapped(each, is_out) for each in content]
        case _:
            return content
