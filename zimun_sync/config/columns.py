"""The `fields` setting of a source: only columns that a source field can fill."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from zimun_sync.normalize.fields import DEFAULT_FIELDS, mappable_columns

Fields = dict[str, dict[str, tuple[str, ...]]]


def check(value: Fields) -> Fields:
    """The value, if it names only streams and columns that there are.

    Raises:
        ValidationError: names each stream and column that there is not, at its place.
    """
    errors = list(_errors(value))
    if errors:
        raise ValidationError.from_exception_data("fields", errors)
    return value


def _errors(value: Fields) -> Iterator[InitErrorDetails]:
    for stream, names in value.items():
        if stream not in DEFAULT_FIELDS:
            yield _unknown("stream", (stream,), DEFAULT_FIELDS)
            continue
        known = mappable_columns(stream)
        for column in names:
            if column not in known:
                yield _unknown("column", (stream, column), known)


def _unknown(what: str, place: tuple[str, ...], known: Iterable[str]) -> InitErrorDetails:
    near = difflib.get_close_matches(place[-1], known, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    error = PydanticCustomError("unknown_name", "no such {what} ({remedy})", _context(what, remedy))
    return InitErrorDetails(type=error, loc=place, input=place[-1])


def _context(what: str, remedy: str) -> dict[str, Any]:
    return {"what": what, "remedy": remedy}


def json_schema() -> dict[str, Any]:
    """JSON schema of the setting, with every column for an editor to offer."""
    names = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
        ]
    }
    return _object({stream: _object(_columns(stream, names)) for stream in DEFAULT_FIELDS})


def _columns(stream: str, names: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(sorted(mappable_columns(stream)), names)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}
