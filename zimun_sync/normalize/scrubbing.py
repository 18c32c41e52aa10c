"""Records of people who asked to be forgotten, without anything that is about them.

A record is such a person's if it has their address, number or key where customers or staff are
named. Of it only fields that are known and not personal stay. Where another record mentions the
address or number, only the value that does so goes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from zimun_sync.model import APPOINTMENTS, STAFF, ColumnType, Row, Stream
from zimun_sync.normalize.fields import fields_of
from zimun_sync.normalize.mentions import addresses, numbers, numbers_alone
from zimun_sync.normalize.places import Places
from zimun_sync.normalize.rules import Rules
from zimun_sync.normalize.suppressions import digest_of, record_name

#: Columns that tell whose record it is.
_EMAILS: Final[Mapping[str, str]] = {APPOINTMENTS.name: "contact_email", STAFF.name: "email"}
_PHONES: Final[Mapping[str, str]] = {APPOINTMENTS.name: "contact_phone", STAFF.name: "phone"}
#: What takes the place of an item that cannot be read and mentions someone.
NOTHING: Final = b"null"
#: What of a price is one.
_MONEY: Final = frozenset({"amount", "currency"})

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
        priced = any(column.name == "price_amount" for column in stream.content)
        self._prices = names.get("price", ("price",)) if priced else ()
        self._kept = {
            name for column, given in fields.items() if column not in personal for name in given
        }.union(self._prices)
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
        if self._owns_row(key, row):
            bare = zip(row, self._personal, strict=False)
            return tuple(None if personal else value for value, personal in bare)
        clean = tuple(map(self._unmentioned, row, self._types(row)))
        promoted = tuple(map(self._unpromoted, row[len(clean) :]))
        again = (*clean, *(each for each in promoted if each))
        return row if again == row else again

    def owns(self, key: str, raw: bytes | None, row: Row) -> bool:
        """Whether a stored record is theirs, by what the source gave or else by its row."""
        if not raw:
            return self._owns_row(key, row)
        try:
            content = _decode(raw)
        except _UNREADABLE:
            return False
        return type(content) is dict and self._owns(content)

    def digests(self, keys: Iterable[str]) -> list[bytes]:
        """What stands for records that were found to be theirs."""
        who, stream = self._who, self._stream.name
        named = (record_name(who.source, stream, key) for key in keys)
        return [digest_of(who.key, "record", each) for each in named]

    def names(self, key: str | None) -> bool:
        """Whether someone asked for this very record to be forgotten."""
        return key is not None and self._who.names_record("id", self._stream.name, key)

    def text(self, text: str) -> str | None:
        """A message; None if it mentions one of those people."""
        return None if self._mentions(text) else text

    def concerns(self, raw: bytes) -> bool:
        """Whether bytes of any shape are about one of those people."""
        if not self._who:
            return False
        if self._mentions(raw.decode(errors="replace")):
            return True
        try:
            content = _decode(raw)
        except _UNREADABLE:
            return False
        return any(map(self._mentions, _texts(content))) or any(map(self._owns, _objects(content)))

    def anything(self, raw: bytes) -> bytes | None:
        """Bytes of any shape; None if they are about one of those people."""
        return None if self.concerns(raw) else raw

    def _item(self, raw: bytes) -> bytes:
        text = raw.decode(errors="replace")
        mentioned = self._mentions(text)
        try:
            content = _decode(raw)
        except _UNREADABLE:
            return NOTHING if mentioned else raw
        if type(content) is not dict:
            return NOTHING if mentioned or any(map(self._mentions, _texts(content))) else raw
        if self._owns(content) or (self._who.strict and mentioned):
            kept = {
                name: self._impersonal(name, content[name]) for name in content.keys() & self._kept
            }
            kept = {name: kept[name] for name in content if kept.get(name) is not None}
            mentioned |= kept != content
            content = kept
        # Escapes can hide a mention; a name that stands twice in an object hides its first value.
        if not mentioned and "\\" not in text:
            return raw
        clean = _mapped(content, self._mentions)
        return _encode(clean) if mentioned or clean != content else raw

    def _impersonal(self, name: str, value: Any) -> Any:
        """What of a field may stay: nothing that could hold more than what the field is for."""
        if type(value) is dict:
            money = {part: each for part, each in value.items() if part in _MONEY}
            return money if name in self._prices and all(map(_is_plain, money.values())) else None
        if type(value) is list:
            return value if all(map(_is_plain, value)) else None
        return value

    def _owns(self, content: Mapping[str, Any]) -> bool:
        """Whether an object is a record of theirs."""
        keys = [*_words(content, self._keys)]
        emails, phones = [*_words(content, self._emails)], [*_words(content, self._phones)]
        region = None
        if phones:
            region = self._region(next(_words(content, self._locations), None))
        return self._is_theirs(keys, emails, phones, region)

    def _owns_row(self, key: str, row: Row) -> bool:
        named = dict(zip(self._columns, row, strict=False))
        emails, phones = (
            [*_words(named, (columns.get(self._stream.name, ""),))]
            for columns in (_EMAILS, _PHONES)
        )
        return self._is_theirs([key], emails, phones, None)

    def _is_theirs(
        self,
        keys: Sequence[str],
        emails: Sequence[str],
        phones: Sequence[str],
        region: str | None,
    ) -> bool:
        who, stream = self._who, self._stream.name
        if any(who.names_record("id", stream, key) for key in keys):
            return True
        if any(
            who.name("email", each) for text in emails for each in dict.fromkeys(addresses(text))
        ):
            return True
        if "phone" in who.kinds and any(
            who.any_phone(each, region) for text in phones for each in numbers_alone(text)
        ):
            return True
        somebody = any(text.strip() for text in (*emails, *phones))
        return not somebody and any(who.names_record("record", stream, key) for key in keys)

    def _region(self, location: str | None) -> str | None:
        return self._places.at(location).region or self._rules.phone_region

    def _mentions(self, text: str) -> bool:
        who = self._who
        if "@" in text and any(who.name("email", each) for each in dict.fromkeys(addresses(text))):
            return True
        if "+" not in text or "phone" not in who.kinds:
            return False
        return any(who.any_phone(each, None) for each in numbers(text))

    def _types(self, row: Row) -> list[ColumnType]:
        return [column.type for column in self._stream.content][: len(row)]

    def _unmentioned(self, value: Any, kind: ColumnType) -> Any:
        if type(value) is not str:
            return value
        if kind is ColumnType.JSON:
            content = _decode(value)
            clean = _mapped(content, self._mentions)
            return value if clean == content else _encode(clean).decode()
        return self.text(value)

    def _unpromoted(self, entries: Mapping[str, Any]) -> dict[str, Any]:
        """Promoted values at the end of a row, without those that mention someone."""
        return {
            name: entry
            for name, entry in entries.items()
            if not any(map(self._mentions, _texts([*entry])))
        }


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def _words(content: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    """What identifies someone in these fields, as text."""
    given = (content.get(name) for name in names)
    return (str(value) for value in given if isinstance(value, (str, int)))


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


def _objects(content: Any) -> Iterator[dict[str, Any]]:
    """Every object in JSON content."""
    if type(content) is dict:
        yield content
    inside = content.values() if type(content) is dict else content
    if type(content) in (dict, list):
        for each in inside:
            yield from _objects(each)


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
