"""The normalizer: raw bytes of items in, canonical rows out, or a reason why not."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from typing import Any, NamedTuple

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import Stream
from zimun_sync.normalize import values
from zimun_sync.normalize.batches import Batch, Failures, Values, attempt, converted, take
from zimun_sync.normalize.fields import fields_of
from zimun_sync.normalize.finishing import finish, finisher_of
from zimun_sync.normalize.noticing import Noticed, Noticing
from zimun_sync.normalize.places import Places
from zimun_sync.normalize.prices import split_prices
from zimun_sync.normalize.promotions import Promoter
from zimun_sync.normalize.rows import hash_of, pack_row, unpack_row
from zimun_sync.normalize.rules import Rules
from zimun_sync.normalize.scrubbing import Scrubber

_ENTRIES = "promoted values"  # no column is called so
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
        raw: the record as it came, without what is about people who asked to be forgotten.
    """

    key: str
    updated_at: int | None
    hash: bytes
    row: bytes
    row_hash: bytes
    raw: bytes


class Canonical(NamedTuple):
    """Normalized records by field, without what the caller has: the items' bytes.

    Args:
        keys: as in `Normalized`, like all but the last.
        updated_at: one a record.
        hashes: one a record.
        rows: one a record.
        row_hashes: one a record.
    """

    keys: list[str]
    updated_at: list[int | None]
    hashes: list[bytes]
    rows: list[bytes]
    row_hashes: list[bytes]


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
        self._price_names = tuple(names.get("price", ("price",)))
        self._priced = any(column.name == "price_amount" for column in stream.content)
        self._columns = [column.name for column in stream.content]
        self.promoter = Promoter(rules.promote.get(stream.name, {}))
        self._noticing = Noticing(self._price_names if self._priced else ())
        self._finish = finisher_of(stream, rules, places)
        self.scrubber = Scrubber(stream, rules, places)

    def normalize(self, raw: bytes) -> Normalized:
        """The canonical form of one item.

        Raises:
            RecordInvalid: with a code and the field at fault; the item goes to quarantine.
        """
        (found,) = self.normalize_each((raw,))
        if isinstance(found, RecordInvalid):
            raise found
        return found

    def normalize_each(self, items: Sequence[bytes]) -> list[Normalized | RecordInvalid]:
        """The canonical form of each item, or why it has none; much faster than one by one."""
        items = self.scrubber.items(items)
        records, refused = self.normalize_all(items)
        made = zip(*records, strict=True)
        return [
            refused[number] if number in refused else Normalized(*next(made), raw)
            for number, raw in enumerate(items)
        ]

    def normalize_all(self, items: Iterable[bytes]) -> tuple[Canonical, dict[int, RecordInvalid]]:
        """All the records that items are, and why the others are none, by the items' numbers.

        The items have been scrubbed: whoever has them stores them beside the records.
        """
        batch = _decoded(items)
        self._fill(batch)
        self._noticing(batch.contents)
        self._complete(batch)
        rows = list(map(pack_row, self._rows(batch.columns)))
        keys, updated_at = batch.columns[self.stream.key], batch.columns["updated_at"]
        records = Canonical(keys, updated_at, batch.digests, rows, list(map(hash_of, rows)))
        return records, batch.refused

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
            (found,) = take([_parse(raw)], names)
            return values.key(found, names[0])
        except RecordInvalid:
            return None

    def _fill(self, batch: Batch) -> None:
        """Plain columns, the price and promoted fields; what is left in `contents` is `extra`."""
        failures: Failures = {}
        for field in self._fields:
            given = take(batch.contents, field.names)
            batch.columns[field.column] = converted(given, field, failures)
        if self._priced:
            batch.columns |= split_prices(batch.contents, self._price_names, failures)
        if self.promoter:
            batch.columns[_ENTRIES] = attempt(self.promoter.take, batch.contents, failures)
        batch.refuse(failures)

    def _complete(self, batch: Batch) -> None:
        """What follows from plain columns."""
        keys, failures = batch.columns[self.stream.key], Failures()
        if not values.are_keys(keys):
            attempt(self._require_key, keys, failures)
            batch.refuse(failures)
        batch.columns["extra"] = [
            _encode_json(content).decode() if content else None for content in batch.contents
        ]
        finish(batch, self._finish)

    def _require_key(self, key: str | None) -> None:
        if values.key(key, self.stream.key) is None:
            raise RecordInvalid("missing-id", f"The record has no {self.stream.key!r}.")

    def _rows(self, columns: Mapping[str, Values]) -> Iterable[Sequence[Any]]:
        rows = zip(*(columns.get(name, repeat(None)) for name in self._columns), strict=False)
        if _ENTRIES not in columns:
            return rows
        ends = ((each,) if each else () for each in columns[_ENTRIES])
        return (row + end for row, end in zip(rows, ends, strict=True))


def _decoded(items: Iterable[bytes]) -> Batch:
    batch = Batch()
    for number, raw in enumerate(items):
        try:
            content = _parse(raw)
        except RecordInvalid as error:
            batch.refused[number] = error
            continue
        batch.numbers.append(number)
        batch.digests.append(hash_of(_encode_json(content)))
        batch.contents.append(content)
    return batch


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        content = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        raise RecordInvalid("not-json", f"The record is not valid JSON: {error}") from None
    if type(content) is not dict:
        raise RecordInvalid("not-an-object", "The record is not a JSON object.")
    return content
