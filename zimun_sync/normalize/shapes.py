"""What records of one shape have in common, worked out once for all of them.

A shape is the names of a record's fields in their order and the type of each value. A source has
few: which field fills which column, which values have to be looked at and which fields are left
over need not be found out anew for every record.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from zimun_sync.model import Stream
from zimun_sync.normalize import values
from zimun_sync.normalize.fields import Field
from zimun_sync.normalize.values import Converter

#: Shapes that are remembered for one stream; a source may make names up, one a record.
MOST_SHAPES: Final = 1024
#: Where in a record's values there is none: the end of the list, where a null is put.
NOWHERE: Final = -1

_NULL = type(None)
#: Which converters leave values of which type as they are.
_KEEPS: Final[dict[Converter, type]] = {
    values.text: str,
    values.identifier: str,
    values.boolean: bool,
}
_Pick = Callable[[Sequence[Any]], tuple[Any, ...]]


class Conversion(NamedTuple):
    """A column whose value does not stay as it is: its index, its field's name, the converter."""

    column: int
    field: str
    convert: Converter


@dataclass(slots=True)
class Shape:
    """How records of one shape become rows. Positions are those of a record's values.

    Args:
        row: from the values, with a null at their end, to one for each column.
        conversions: what then changes, in the order of columns; none of these is null.
        identifiers: columns that hold references as they came; blank ones are null.
        references: from the values to those of `identifiers`.
        price: position of the price.
        rest: fields that no column is made of, with their positions.
        noticed: whether its fields have been looked at for unknown ones.
    """

    row: _Pick
    conversions: tuple[Conversion, ...]
    identifiers: tuple[int, ...]
    references: _Pick
    price: int
    rest: tuple[tuple[str, int], ...]
    noticed: bool = False


class Shapes:
    """The shapes of a stream's records.

    Args:
        stream: what the records are.
        fields: those that fill columns as they are.
        price_names: names of the field that is split into two columns; empty: there is none.
    """

    def __init__(
        self, stream: Stream, fields: Iterable[Field], price_names: tuple[str, ...]
    ) -> None:
        columns = [column.name for column in stream.content]
        self._width = len(columns)
        self._fields = [(columns.index(field.column), field) for field in fields]
        self._price_names = price_names
        #: The shape of a record: called with the names of its fields, then their values' types.
        self.of: Callable[..., Shape] = lru_cache(MOST_SHAPES)(self._of)

    def _of(self, *names_and_types: Any) -> Shape:
        half = len(names_and_types) // 2
        names, types = names_and_types[:half], names_and_types[half:]
        left = {name: position for position, name in enumerate(names)}
        row = [NOWHERE] * self._width
        for column, field in self._fields:
            row[column] = _take(left, field.names, types)
        price = _take(left, self._price_names, types)
        kept = [
            (column, row[column])
            for column, field in self._fields
            if field.convert is values.identifier and row[column] != NOWHERE
            if types[row[column]] is str
        ]
        return Shape(
            itemgetter(*row),
            tuple(self._conversions(row, types)),
            tuple(column for column, _ in kept),
            # With the null, so that there are always several.
            itemgetter(NOWHERE, NOWHERE, *(position for _, position in kept)),
            price,
            tuple(left.items()),
        )

    def _conversions(self, row: Sequence[int], types: Sequence[type]) -> Iterable[Conversion]:
        for column, field in self._fields:
            position = row[column]
            if position != NOWHERE and _KEEPS.get(field.convert) is not types[position]:
                yield Conversion(column, field.names[0], field.convert)


def _take(left: dict[str, int], names: tuple[str, ...], types: Sequence[type]) -> int:
    """Remove every name that is present; the position of the first that is not null counts."""
    found = [left.pop(name) for name in names if name in left]
    return next((position for position in found if types[position] is not _NULL), NOWHERE)
