"""Noticing fields that nobody knows, while records go by."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from zimun_sync.model import ColumnType

#: Fields of one stream that are noticed at most: a source may make names up, one a record.
MOST_FIELDS: Final = 500
#: Characters of a name; a longer one, or one that cannot be printed, is no name of a field.
LONGEST_NAME: Final = 200

_JSON_TYPES: Final[dict[type, str]] = {
    str: "string",
    int: "integer",
    Decimal: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
}
_COLUMN_TYPES: Final[dict[type, ColumnType]] = {
    int: ColumnType.INTEGER,
    Decimal: ColumnType.DECIMAL,
    bool: ColumnType.BOOLEAN,
    list: ColumnType.JSON,
    dict: ColumnType.JSON,
}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_NO_TYPES: Final[frozenset[type]] = frozenset({type(None)})
_EVERY_TYPE: Final = _NO_TYPES.union(_JSON_TYPES)


class Noticed(NamedTuple):
    """A field that no column is made of.

    Args:
        field: the source's name of it.
        json_type: of the value it was noticed by.
        suggested: the type that a column of such values would have.
    """

    field: str
    json_type: str
    suggested: ColumnType


class Noticing:
    """Knows which fields, and which types of their values, have gone by.

    Args:
        known: fields that may be left over although columns are made of them.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._types: dict[str, frozenset[type]] = dict.fromkeys(known, _EVERY_TYPE)
        self._new: list[Noticed] = []

    def __call__(self, contents: Iterable[Mapping[str, Any]]) -> None:
        """Look at what is left of records; what a null is will be seen when it has a value."""
        types = self._types
        for content in contents:
            for name, value in content.items():
                if type(value) not in types.get(name, _NO_TYPES):
                    self._notice(name, value)

    def told(self) -> list[Noticed]:
        """What was noticed since this was asked last."""
        new, self._new = self._new, []
        return new

    def _notice(self, name: str, value: Any) -> None:
        known = self._types.get(name)
        if known is None and (len(self._types) >= MOST_FIELDS or not _is_name(name)):
            return
        self._types[name] = (known or _NO_TYPES) | {type(value)}
        self._new.append(Noticed(name, _JSON_TYPES[type(value)], _suggested(value)))


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and text.isprintable()


def _suggested(value: Any) -> ColumnType:
    if type(value) is not str:
        return _COLUMN_TYPES[type(value)]
    if _INSTANT.fullmatch(value):
        return ColumnType.INSTANT
    return ColumnType.DATE if _DAY.fullmatch(value) else ColumnType.TEXT
