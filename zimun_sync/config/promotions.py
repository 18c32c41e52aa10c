"""The `promote` setting of a source: which fields become columns, under which name and type."""

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, count
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from zimun_sync.model import APPOINTMENT_VERSIONS, APPOINTMENTS, STREAMS, ColumnType, Stream
from zimun_sync.normalize import Promotion, Promotions
from zimun_sync.normalize.fields import PROMOTABLE, fields_of
from zimun_sync.normalize.promotions import CONVERTERS
from zimun_sync.promoting import promoted_column

Promote = dict[str, dict[str, Promotion]]
Place = tuple[str, ...]

TYPES: Final = tuple(kind.value for kind in CONVERTERS)
#: What every database and file can have as a column's name.
NAME: Final = r"^[A-Za-z][A-Za-z0-9_]{0,62}$"
_LONGEST: Final = 63
_SHORT: Final = 56  # leaves room for a number
#: Columns that every table of PostgreSQL has of its own.
_RESERVED: Final = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})
#: What others call the types.
_MEANT: Final = {
    "bigint": "integer",
    "bool": "boolean",
    "datetime": "instant",
    "double": "decimal",
    "float": "decimal",
    "int": "integer",
    "number": "decimal",
    "object": "json",
    "str": "text",
    "string": "text",
    "timestamp": "instant",
    "varchar": "text",
}
_WAYS: Final = f"a type ({', '.join(TYPES)}), or {{field: NAME, type: TYPE}}"
_LIST: Final = (
    "should give each column its type, such as {field}: integer; `zimun-sync fields` shows the "
    "fields that there are, and the lines to write"
)


def check(value: Any) -> Promote:
    """The promotions that the setting spells.

    Raises:
        ValueError: it is no mapping.
        ValidationError: names each thing that is wrong, at its place.
    """
    if not isinstance(value, dict):
        text = "should name streams, and columns below them: appointments: {NAME: TYPE}"
        raise ValueError(text)  # noqa: TRY004 - pydantic takes no TypeError
    errors: list[InitErrorDetails] = []
    found = {stream: _of_stream(stream, columns, errors) for stream, columns in value.items()}
    if errors:
        raise ValidationError.from_exception_data("promote", errors)
    return found


def spelt(value: Mapping[str, Promotions]) -> dict[str, Any]:
    """The setting as a file would have it."""
    return {
        stream: {name: {"field": each.field, "type": str(each.type)} for name, each in of.items()}
        for stream, of in value.items()
    }


def _of_stream(stream: str, columns: Any, errors: list[InitErrorDetails]) -> dict[str, Promotion]:
    if stream not in PROMOTABLE:
        errors.append(_error((stream,), f"no such stream ({_near(stream, PROMOTABLE)})"))
        return {}
    if not isinstance(columns, dict):
        first = str(columns[0]) if isinstance(columns, list) and columns else "party_size"
        errors.append(_error((stream,), _LIST.format(field=first)))
        return {}
    found: dict[str, Promotion] = {}
    for name, given in columns.items():
        try:
            _refuse_name(STREAMS[stream], name, found)
            found[name] = _promotion(name, given)
        except ValueError as error:
            errors.append(_error((stream, name), str(error)))
    return found


def _promotion(name: str, given: Any) -> Promotion:
    if isinstance(given, Promotion):
        return given
    if isinstance(given, str):
        return Promotion(name, _type(given))
    if not isinstance(given, dict) or "type" not in given or not {*given} <= {"field", "type"}:
        raise ValueError(f"should be {_WAYS}")
    field = given.get("field", name)
    if not isinstance(field, str) or not field:
        raise ValueError("its field should be the source's name of it, as text")
    return Promotion(field, _type(given["type"]))


def _type(given: Any) -> ColumnType:
    if given not in TYPES:
        meant = f"; did you mean {_MEANT[given]}?" if str(given) in _MEANT else ""
        raise ValueError(f"should be one of {', '.join(TYPES)} (it is {given!r}{meant})")
    return ColumnType(given)


def _refuse_name(stream: Stream, name: str, others: Iterable[str]) -> None:
    if not re.fullmatch(NAME, name):
        raise ValueError(
            "a column's name has letters, digits and '_', begins with a letter, and has at most 63 "
            f"characters; give it another one: my_name: {{field: {name!r}, type: …}}"
        )
    if name.lower() in {column.lower() for column in others}:
        raise ValueError("two columns may not differ in upper and lower case only")
    if name.lower() in _RESERVED:
        raise ValueError(
            "PostgreSQL has a column of its own of that name in every table; give it another one: "
            f"my_{name}: {{field: {name}, type: …}}"
        )
    if name.lower() in _taken(stream):
        raise ValueError(
            f"{stream.name} has a column of that name already; give it another one: "
            f"my_{name}: {{field: {name}, type: …}}"
        )


def _taken(stream: Stream) -> set[str]:
    """Names of columns, also of the versions of appointments, which have the promoted ones too."""
    more = APPOINTMENT_VERSIONS.columns if stream is APPOINTMENTS else ()
    return {column.name for column in (*stream.columns, *more)}


def _error(place: Place, text: str) -> InitErrorDetails:
    # Not as a template: the text may have braces.
    error = PydanticCustomError("unknown_name", "{text}", {"text": text})
    return InitErrorDetails(type=error, loc=place, input=None if not place else place[-1])


def _near(wrong: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def refuse_used_fields(
    promote: Mapping[str, Promotions], names: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> None:
    """Make sure that no promoted field is one that a column is made of anyway.

    Args:
        promote: the promotions, by stream and column.
        names: the user's names of source fields, by stream and column.

    Raises:
        ValueError: one is, or two columns are made of the same field.
    """
    for stream, promotions in promote.items():
        given = names.get(stream, {})
        used = {
            name: field.column
            for field in fields_of(STREAMS[stream], given)
            for name in field.names
        }
        if any(column.name == "price_amount" for column in STREAMS[stream].content):
            used |= dict.fromkeys(given.get("price", ("price",)), "price_amount")
        for column, promotion in promotions.items():
            if promotion.field in used:
                raise ValueError(
                    f"promote.{stream}.{column}: the field {promotion.field!r} is in the column "
                    f"{used[promotion.field]} already; leave it out"
                )
            used[promotion.field] = column


def streams_of(promote: Iterable[Mapping[str, Promotions]]) -> dict[str, Stream]:
    """Every stream by name, with the columns that any source promotes.

    Args:
        promote: promotions by stream and column, of each source.
    """
    merged: dict[str, dict[str, list[Promotion]]] = {}
    for of_source in promote:
        for stream, promotions in of_source.items():
            for column, promotion in promotions.items():
                merged.setdefault(stream, {}).setdefault(column, []).append(promotion)
    if APPOINTMENTS.name in merged:
        merged[APPOINTMENT_VERSIONS.name] = merged[APPOINTMENTS.name]
    return {
        name: replace(stream, promoted=_columns(merged.get(name, {})))
        for name, stream in STREAMS.items()
    }


def _columns(promotions: Mapping[str, list[Promotion]]) -> tuple[Any, ...]:
    return tuple(
        promoted_column(name, given[0].type, list(dict.fromkeys(each.field for each in given)))
        for name, given in promotions.items()
    )


def clashes(
    promote: Mapping[str, Mapping[str, Promotions]],
) -> Iterator[tuple[Place, str]]:
    """Columns that two sources promote with different types: where, and what is wrong.

    Args:
        promote: promotions by stream and column, by source.
    """
    first: dict[tuple[str, str], tuple[str, str, ColumnType]] = {}
    for source, of_source in promote.items():
        for stream, promotions in of_source.items():
            for column, promotion in promotions.items():
                key = (stream, column.lower())
                known = first.setdefault(key, (source, column, promotion.type))
                if known[1:] != (column, promotion.type):
                    text = (
                        f"is {promotion.type} here, but source {known[0]} has {known[1]} as "
                        f"{known[2]}; one table holds both: give one of them another name, or "
                        "both the same type"
                    )
                    yield ("sources", source, "promote", stream, column), text


def json_schema() -> dict[str, Any]:
    """JSON schema of the setting."""
    kind = {"enum": list(TYPES)}
    whole = {
        "type": "object",
        "properties": {"field": {"type": "string", "minLength": 1}, "type": kind},
        "required": ["type"],
        "additionalProperties": False,
    }
    columns = {
        "type": "object",
        "propertyNames": {"pattern": NAME},
        "additionalProperties": {"anyOf": [kind, whole]},
    }
    return {
        "type": "object",
        "properties": dict.fromkeys(PROMOTABLE, columns),
        "additionalProperties": False,
    }


def free_name(stream: str, field: str, others: Collection[str]) -> str:
    """A name that a column of this field could have: its own, where that is possible.

    Args:
        stream: whose column.
        field: the source's name of the field.
        others: names of promoted columns that there are already.
    """
    name = field
    if not re.fullmatch(NAME, field):
        name = re.sub(r"[^A-Za-z0-9_]+", "_", field).strip("_")
    if not re.match(r"[A-Za-z]", name):
        name = f"field_{name}".rstrip("_")
    used = _taken(STREAMS[stream]) | _RESERVED
    if name.lower() in used:
        name = f"source_{name}"
    used |= {other.lower() for other in others}
    numbered = (f"{name[:_SHORT]}_{number}" for number in count(2))
    return next(each for each in chain([name[:_LONGEST]], numbered) if each.lower() not in used)
