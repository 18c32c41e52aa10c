"""The normalizer: raw bytes of one item in, a canonical row out, or a reason why not."""

from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import Stream
from zimun_sync.normalize import values
from zimun_sync.normalize.fields import fields_of
from zimun_sync.normalize.finishing import columns_of, finisher
from zimun_sync.normalize.noticing import Noticed, Noticing
from zimun_sync.normalize.places import Places
from zimun_sync.normalize.promotions import Promoter
from zimun_sync.normalize.rows import DIGEST_BYTES, hash_of, pack_row, unpack_row
from zimun_sync.normalize.rules import Rules
from zimun_sync.normalize.shapes import NOWHERE, Shape, Shapes

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode_json = msgspec.json.Encoder(order="sorted", decimal_format="number").encode

#: All of a normalized record but its raw bytes: its key, version, hash, row and the row's hash.
Canonical = tuple[str, int | None, bytes, bytes, bytes]


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
        names = rules.fields.get(stream.name, {})
        self._fields = fields_of(stream, names)
        is_priced = any(column.name == "price_amount" for column in stream.content)
        price_names = tuple(names.get("price", ("price",))) if is_priced else ()
        self._at = columns_of(stream)
        self._key, self._updated_at = self._at[stream.key], self._at["updated_at"]
        self._extra = self._at["extra"]
        self._split_price = _PriceSplitter(price_names, self._at) if is_priced else None
        self._shape_of = Shapes(stream, self._fields, price_names).of
        self.promoter = Promoter(rules.promote.get(stream.name, {}))
        self._promotes = bool(self.promoter)
        self._noticing = Noticing(price_names)
        self._finish = finisher(stream, rules, places)

    def normalize(self, raw: bytes) -> Normalized:
        """The canonical form of one item.

        Raises:
            RecordInvalid: with a code and the field at fault; the item goes to quarantine.
        """
        return Normalized(*self.canonical(raw), raw)

    def canonical(self, raw: bytes) -> Canonical:
        """The same without the raw bytes, which the caller has."""
        content = self._parse(raw)
        digest = blake2b(_encode_json(content), digest_size=DIGEST_BYTES).digest()
        row = self._row_of(content)
        key = row[self._key]
        if key is None:
            raise RecordInvalid("missing-id", f"The record has no {self.stream.key!r}.")
        key = values.key(key, self.stream.key)
        self._finish(row)
        packed = pack_row(row)
        return key, row[self._updated_at], digest, packed, hash_of(packed)

    def organization_of(self, record: Normalized) -> str | None:
        """The organization a normalized record belongs to, where it says so."""
        found: str | None = unpack_row(record.row)[self._at["organization_id"]]
        return found

    def noticed(self) -> list[Noticed]:
        """Fields that became part of `extra`, told once each for every kind of value."""
        return self._noticing.told()

    def key_of(self, raw: bytes) -> str | None:
        """The key of an item that could not be normalized, where it has a readable one."""
        names = next(field.names for field in self._fields if field.column == self.stream.key)
        try:
            content = self._parse(raw)
            found = (content.get(name) for name in names)
            return values.key(next((each for each in found if each is not None), None), names[0])
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

    def _row_of(self, content: dict[str, Any]) -> list[Any]:
        """Plain columns converted; fields that fill none become `extra`."""
        given = [*content.values(), None]
        shape = self._shape_of(*content, *map(type, content.values()))
        row = [*shape.row(given)]
        if "" in shape.references(given):
            for column in shape.identifiers:
                row[column] = row[column] or None
        for column, field, convert in shape.conversions:
            row[column] = convert(row[column], field)
        rest = {name: given[position] for name, position in shape.rest}
        if shape.price != NOWHERE and self._split_price is not None:
            self._split_price(given[shape.price], row, rest)
        entries = self.promoter.take(rest) if self._promotes else None
        if rest:
            row[self._extra] = _encode_json(rest).decode()
            self._notice(rest, shape)
        if entries:
            row.append(entries)
        return row

    def _notice(self, rest: dict[str, Any], shape: Shape) -> None:
        if not shape.noticed:
            self._noticing(rest)
            shape.noticed = True


class _PriceSplitter:
    """Splits a price into its two columns.

    Args:
        names: of the price's field.
        at: indexes of columns.
    """

    def __init__(self, names: tuple[str, ...], at: dict[str, int]) -> None:
        self._name = names[0]
        self._amount_field, self._currency_field = f"{names[0]}.amount", f"{names[0]}.currency"
        self._amount, self._currency = at["price_amount"], at["price_currency"]

    def __call__(self, price: Any, row: list[Any], rest: dict[str, Any]) -> None:
        """Fill the columns; what else the price has goes to `rest`."""
        if type(price) is not dict:
            raise values.wrong_type(self._name, price, "an object with amount and currency")
        row[self._amount] = values.amount(price.pop("amount", None), self._amount_field)
        row[self._currency] = values.text(price.pop("currency", None), self._currency_field)
        if price:
            rest[self._name] = price
