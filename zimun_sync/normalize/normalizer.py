"""The normalizer: raw bytes of one item in, a canonical row out, or a reason why not."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import Stream, to_micros
from zimun_sync.normalize import slots, values
from zimun_sync.normalize.fields import fields_of
from zimun_sync.normalize.noticing import Noticed, Noticing
from zimun_sync.normalize.places import Places, offset_seconds, phone, zone
from zimun_sync.normalize.promotions import Promoter
from zimun_sync.normalize.rows import DIGEST_BYTES, hash_of, pack_row, unpack_row
from zimun_sync.normalize.rules import Rules

STATUSES = frozenset({"held", "scheduled", "confirmed", "completed", "no_show", "cancelled"})
_SPELLINGS = {"canceled": "cancelled", "noshow": "no_show"}

_KEEP_STRINGS = (values.text, values.identifier)
_ENTRIES = "promoted values"  # no column is called so
_MINUTE, _DAY = 60_000_000, 86_400_000_000
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode_json = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


class Normalized(NamedTuple):
    """One record, ready for the store.

    Args:
        key: the record's key within source and stream.
        updated_at: the source's own version, microseconds UTC; None where it gives none.
        hash: of the source's content, whatever the order of its fields.
        row: content values packed as msgpack, in the order of the stream's columns; at its end
            the values of promoted fields, where there are any (see `promoting`).
        row_hash: of the packed row.
        raw: the record as it came.
    """

    key: str
    updated_at: int | None
    hash: bytes
    row: bytes
    row_hash: bytes
    raw: bytes


class Normalizer:
    """Normalizes one stream's records; holds no state between records but caches.

    Args:
        stream: what the records are.
        rules: the user's words on the source's fields.
        places: time zones and regions known so far.
    """

    def __init__(self, stream: Stream, rules: Rules, places: Places) -> None:
        self.stream = stream
        self._rules = rules
        self._places = places
        names = rules.fields.get(stream.name, {})
        self._fields = fields_of(stream, names)
        self._plan = [
            (field.column, field.names, field.convert, field.convert in _KEEP_STRINGS)
            for field in self._fields
        ]
        self._price_names = tuple(names.get("price", ("price",)))
        self._priced = any(column.name == "price_amount" for column in stream.content)
        self._columns = [column.name for column in stream.content]
        self._blank = dict.fromkeys(self._columns)
        self.promoter = Promoter(rules.promote.get(stream.name, {}))
        self._promotes = bool(rules.promote.get(stream.name))
        self._noticing = Noticing(self._price_names if self._priced else ())
        self._finish: Callable[[dict[str, Any]], None] = getattr(
            self, f"_finish_{stream.name}", self._finish_any
        )

    def normalize(self, raw: bytes) -> Normalized:
        """The canonical form of one item.

        Raises:
            RecordInvalid: with a code and the field at fault; the item goes to quarantine.
        """
        content = self._parse(raw)
        digest = blake2b(_encode_json(content), digest_size=DIGEST_BYTES).digest()
        values_by_column = self._columns_of(content)
        key = values.key(values_by_column[self.stream.key], self.stream.key)
        if key is None:
            raise RecordInvalid("missing-id", f"The record has no {self.stream.key!r}.")
        self._finish(values_by_column)
        row = pack_row(list(values_by_column.values()))
        row_hash = hash_of(row)
        return Normalized(key, values_by_column["updated_at"], digest, row, row_hash, raw)

    def organization_of(self, record: Normalized) -> str | None:
        """The organization a normalized record belongs to, where it says so."""
        found: str | None = unpack_row(record.row)[self._columns.index("organization_id")]
        return found

    def noticed(self) -> list[Noticed]:
        """Fields that became part of `extra`, told once each for every kind of value."""
        return self._noticing.told()

    def key_of(self, raw: bytes) -> str | None:
        """The key of an item that could not be normalized, where it has a readable one."""
        names = next(field.names for field in self._fields if field.column == self.stream.key)
        try:
            return values.key(_take(self._parse(raw), names), names[0])
        except RecordInvalid:
            return None

    def _parse(self, raw: bytes) -> dict[str, Any]:
        try:
            content = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
            raise RecordInvalid("not-json", f"The record is not valid JSON: {error}") from None
        if type(content) is not dict:
            raise RecordInvalid("not-an-object", "The record is not a JSON object.")
        return content

    def _columns_of(self, content: dict[str, Any]) -> dict[str, Any]:
        """Plain columns converted; what is left of `content` becomes `extra`."""
        filled = self._blank.copy()
        for column, names, convert, is_text in self._plan:
            value = content.pop(names[0], None) if len(names) == 1 else _take(content, names)
            # Most values are strings that stay as they are: spare them the call.
            if value is not None and not (is_text and value and type(value) is str):
                value = convert(value, names[0])
            filled[column] = value
        if self._priced:
            self._split_price(content, filled)
        if self._promotes:
            self._promote(content, filled)
        if content:
            filled["extra"] = _encode_json(content).decode()
            self._noticing(content)
        return filled

    def _promote(self, content: dict[str, Any], filled: dict[str, Any]) -> None:
        entries = self.promoter.take(content)
        if entries:
            filled[_ENTRIES] = entries  # a new name: it comes last in the row

    def _split_price(self, content: dict[str, Any], filled: dict[str, Any]) -> None:
        name = self._price_names[0]
        price = _take(content, self._price_names)
        if price is None:
            return
        if type(price) is not dict:
            raise values.wrong_type(name, price, "an object with amount and currency")
        filled["price_amount"] = values.amount(price.pop("amount", None), f"{name}.amount")
        filled["price_currency"] = values.text(price.pop("currency", None), f"{name}.currency")
        if price:
            content[name] = price

    def _finish_any(self, filled: dict[str, Any]) -> None:
        """Streams without derived columns."""

    def _finish_appointments(self, filled: dict[str, Any]) -> None:
        start: datetime | None = filled["starts_at"]
        if start is None:
            raise RecordInvalid("missing-time", "The appointment has no start time.")
        place = self._places.at(filled["location_id"])
        self._set_times(filled, start, place.timezone)
        filled["status"] = self._status(filled["source_status"])
        self._set_phone(filled, "contact_phone", place.region)

    def _set_times(self, filled: dict[str, Any], start: datetime, timezone: str | None) -> None:
        micros = values.within_calendar(to_micros(start))
        if timezone is None:
            given = start.utcoffset()
            offset = 0 if given is None else int(given.total_seconds())
        else:
            offset = offset_seconds(timezone, micros)
        local = micros + offset * 1_000_000
        filled["starts_at"] = micros
        filled["timezone"] = timezone
        filled["utc_offset_minutes"] = offset // 60
        filled["local_start"] = local
        filled["local_date"] = local // _DAY
        if filled["duration_minutes"] is not None:
            length = filled["duration_minutes"] * _MINUTE
            filled["ends_at"] = values.within_calendar(micros + length)

    def _status(self, given: str | None) -> str | None:
        if given is None:
            return None
        chosen = self._rules.statuses.get(given)
        if chosen is not None:
            return chosen
        word = given.strip().lower().replace("-", "_").replace(" ", "_")
        word = _SPELLINGS.get(word, word)
        return word if word in STATUSES else "other"

    def _finish_availability(self, filled: dict[str, Any]) -> None:
        slots.count_slots(filled)

    def _finish_holidays(self, filled: dict[str, Any]) -> None:
        slots.require_day(filled)

    def _finish_staff(self, filled: dict[str, Any]) -> None:
        self._set_phone(filled, "phone", self._places.at(filled["location_id"]).region)

    def _finish_locations(self, filled: dict[str, Any]) -> None:
        if filled["timezone"] is not None:
            zone(filled["timezone"])
        self._set_phone(filled, "phone", self._places.at(filled["location_id"]).region)

    def _finish_organization(self, filled: dict[str, Any]) -> None:
        if filled["timezone"] is not None:
            zone(filled["timezone"])

    def _set_phone(self, filled: dict[str, Any], column: str, region: str | None) -> None:
        number = filled[column]
        if number:
            filled[column] = phone(number, region or self._rules.phone_region)


def _take(content: dict[str, Any], names: tuple[str, ...]) -> Any:
    """Remove every alias that is present; the first that is not null counts."""
    if len(names) == 1:
        return content.pop(names[0], None)
    found = [content.pop(name, None) for name in names]
    return next((value for value in found if value is not None), None)
