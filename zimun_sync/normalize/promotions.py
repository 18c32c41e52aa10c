"""Fields that a configuration makes columns: out of what would become `extra`, with a type.

A value that is not of the type is refused like that of any other column: its record goes to
quarantine, and no wrong value goes anywhere.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import ColumnType, Row, Stream, from_micros, to_python
from zimun_sync.normalize import values
from zimun_sync.normalize.values import Converter
from zimun_sync.promoting import Entry, entries_of

#: What a promoted column may hold.
CONVERTERS: Final[Mapping[ColumnType, Converter]] = {
    ColumnType.TEXT: values.text,
    ColumnType.INTEGER: values.integer,
    ColumnType.DECIMAL: values.amount,
    ColumnType.BOOLEAN: values.boolean,
    ColumnType.INSTANT: values.instant,
    ColumnType.DATE: values.day,
    ColumnType.JSON: values.json_text,
}


class Promotion(msgspec.Struct, frozen=True):
    """A field of the source that becomes a column.

    Args:
        field: the source's name of it.
        type: of `CONVERTERS`.
    """

    field: str
    type: ColumnType


#: Promotions of one stream, by column.
Promotions = Mapping[str, Promotion]


class _Taken(NamedTuple):
    column: str
    promotion: Promotion
    convert: Converter


class Promoter:
    """Takes promoted values out of records.

    Args:
        promotions: of the records' stream.
    """

    def __init__(self, promotions: Promotions) -> None:
        # In the order of names: the same rules make the same rows, however they are spelled.
        self._plan = [
            _Taken(column, each, CONVERTERS[each.type])
            for column, each in sorted(promotions.items())
        ]

    def __bool__(self) -> bool:
        return bool(self._plan)

    def take(self, content: dict[str, Any]) -> dict[str, Entry]:
        """Remove the promoted fields from a record's content; those with a value are returned.

        Raises:
            RecordInvalid: a value is not of its column's type.
        """
        found: dict[str, Entry] = {}
        for column, promotion, convert in self._plan:
            value = content.pop(promotion.field, None)
            if value is not None:
                stored = convert(value, promotion.field)
                found[column] = Entry(promotion.type, stored, promotion.field)
        return found

    def take_what_fits(self, content: dict[str, Any]) -> dict[str, Entry]:
        """The same, but a value that is not of the type stays where it is."""
        found: dict[str, Entry] = {}
        for column, promotion, convert in self._plan:
            value = content.get(promotion.field)
            if value is None:
                continue
            try:
                stored = convert(value, promotion.field)
            except RecordInvalid:
                continue
            found[column] = Entry(promotion.type, stored, promotion.field)
            del content[promotion.field]
        return found


def restated(stream: Stream, row: Row, promoter: Promoter) -> Row:
    """A stored row whose raw content is not at hand, with the promotions of today.

    Values that are no longer promoted go back to `extra`; those that are come out of it, where
    they are of the column's type.
    """
    entries = entries_of(stream, row)
    at_extra = next(i for i, column in enumerate(stream.content) if column.name == "extra")
    if not entries and (not promoter or row[at_extra] is None):
        return row
    content = _decode(row[at_extra]) if row[at_extra] is not None else {}
    content |= {entry.field: _as_json(entry) for entry in entries.values()}
    found = promoter.take_what_fits(content)
    extra = values.json_text(content, "extra") if content else None
    own = [*row[: len(stream.content)]]
    own[at_extra] = extra
    return (*own, found) if found else tuple(own)


def _as_json(entry: Entry) -> Any:
    """A value as the source would give it; a decimal as a number, an instant in UTC."""
    match entry.type:
        case ColumnType.JSON:
            return _decode(entry.value)
        case ColumnType.INSTANT:
            return from_micros(entry.value).isoformat()
        case ColumnType.DATE:
            day: date = to_python(entry.value, entry.type)
            return day.isoformat()
        case _:
            return to_python(entry.value, entry.type)


_decode = msgspec.json.Decoder(float_hook=Decimal).decode
