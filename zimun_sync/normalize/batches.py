"""Records that are normalized together, a column at a time.

Going through a column of a whole page costs a fraction of going through a record's columns one
by one. A record is refused on its own all the same: for the first of its columns that is wrong.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final

from zimun_sync.errors import RecordInvalid
from zimun_sync.normalize import times, values
from zimun_sync.normalize.fields import Field
from zimun_sync.normalize.values import Converter

#: Values of one column, one a record.
Values = list[Any]
#: Why records are refused, by their position.
Failures = dict[int, RecordInvalid]

_NULL = type(None)
_STRINGS: Final[frozenset[type]] = frozenset({str, _NULL})
_BOOLEANS: Final[frozenset[type]] = frozenset({bool, _NULL})
#: Types of the values that a converter leaves as they are.
_KEPT: Final[Mapping[Converter, frozenset[type]]] = {
    values.text: _STRINGS,
    values.identifier: _STRINGS,
    values.boolean: _BOOLEANS,
}
#: Converters of whole columns.
_WHOLE: Final[Mapping[Converter, Callable[[Values], Values]]] = {
    values.instant: times.instants,
    values.local_moment: times.local_moments,
}
_NOTHING: Final[frozenset[type]] = frozenset({_NULL})


@dataclass(slots=True)
class Batch:
    """Records on their way to rows. Lists have one entry a record, in the same order.

    Args:
        numbers: of the items that the records were made of.
        digests: hashes of their content.
        contents: decoded; what becomes a column is taken out.
        columns: filled so far, by name.
        refused: why the others were refused, by their items' numbers.
    """

    numbers: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    contents: list[dict[str, Any]] = field(default_factory=list)
    columns: dict[str, Values] = field(default_factory=dict)
    refused: Failures = field(default_factory=dict)

    def at(self, position: int) -> dict[str, Values]:
        """The columns of one record."""
        return {name: each[position : position + 1] for name, each in self.columns.items()}

    def refuse(self, failures: Failures) -> None:
        """Take records out, by their positions."""
        if not failures:
            return
        self.refused |= {self.numbers[position]: error for position, error in failures.items()}
        kept = [position not in failures for position in range(len(self.numbers))]
        self.numbers = list(compress(self.numbers, kept))
        self.digests = list(compress(self.digests, kept))
        self.contents = list(compress(self.contents, kept))
        self.columns = {name: list(compress(each, kept)) for name, each in self.columns.items()}


def take(contents: Sequence[dict[str, Any]], names: Sequence[str]) -> Values:
    """Remove a field, by every name it has; the first that is not null counts."""
    first = names[0]
    found = [content.pop(first, None) for content in contents]
    for name in names[1:]:
        more = [content.pop(name, None) for content in contents]
        if more.count(None) < len(more):
            found = [
                other if value is None else value for value, other in zip(found, more, strict=True)
            ]
    return found


def converted(given: Values, plan: Field, failures: Failures) -> Values:
    """A column's values as rows hold them.

    Args:
        given: JSON values.
        plan: which column, and how.
        failures: told of values that are refused.
    """
    types = {*map(type, given)}
    if types <= _KEPT.get(plan.convert, _NOTHING):
        is_blank = plan.convert is values.identifier and "" in given
        return [value or None for value in given] if is_blank else given
    convert, name = plan.convert, plan.names[0]
    convert_all = _WHOLE.get(convert)
    try:
        if convert_all is not None:
            return convert_all(given)
        return [None if value is None else convert(value, name) for value in given]
    except (RecordInvalid, TypeError, ValueError):
        return attempt(
            lambda value: None if value is None else convert(value, name), given, failures
        )


def attempt(function: Callable[[Any], Any], given: Sequence[Any], failures: Failures) -> Values:
    """The function's results; None and a failure where it refuses.

    A record that failed before keeps its first failure.
    """
    found: Values = [None] * len(given)
    for position, value in enumerate(given):
        try:
            found[position] = function(value)
        except RecordInvalid as error:
            failures.setdefault(position, error)
    return found
