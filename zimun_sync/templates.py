"""Text with fields such as `{source}`, for the calls of hooks: checked, then filled in."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

#: What a field may be: numbers are None where there is nothing to count, texts are empty.
Value = str | int | float | None
Fields = Mapping[str, Value]

#: Every field, with its meaning.
FIELDS: Final[Mapping[str, str]] = {
    "event": "what called the hook: a word of `on`",
    "hook": "the hook's name",
    "time": "when it happened, ISO 8601, UTC",
    "subject": "what it is about, such as `source main`, `sink crm` or `disk`",
    "source": "the source's name; empty where it is about no source",
    "status": "`running`, `succeeded`, `partial` or `failed`; of troubles `trouble` or `ok`",
    "reason": "why a run did not simply succeed, or what is wrong; else empty",
    "hint": "what to do about it; empty where nothing is wrong",
    "cause": "why it was pulled: `nightly`, `reconcile`, `start`, `request`, `retry`; else empty",
    "records": "number of records that the run listed; null unless a run ended",
    "changed": "number of those that were new or differed; null unless a run ended",
    "seconds": "how long the run or the trouble lasted; null where nothing has ended",
}

_FIELD: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: How a text begins whose author meant JSON.
_LIKE_JSON: Final = re.compile(r'\s*(?:\{\s*["}]|\[)')


def check_template(text: str) -> str:
    """Return the text if each of its fields is known and it is not JSON with a mistake.

    Raises:
        ValueError: it names an unknown field, or begins like JSON and is none.
    """
    for name in _FIELD.findall(text):
        if name not in FIELDS:
            raise ValueError(f"{{{name}}} is no field; there are {', '.join(FIELDS)}")
    if _LIKE_JSON.match(text) and not is_json(text):
        msg = (
            'begins like JSON and is none; fields stand in quotes there, also numbers: "{records}"'
        )
        raise ValueError(msg)
    return text


def is_json(text: str) -> bool:
    """Whether the text, with its fields not filled in, is a JSON document."""
    try:
        _parse(text)
    except ValueError:
        return False
    return True


def fill_url(template: str, fields: Fields) -> str:
    """The address with percent-encoded fields; none of them can add a path or a query."""
    return _filled(template, fields, partial(quote, safe=""))


def fill_body(template: str, fields: Fields) -> str:
    """The body with its fields.

    In JSON they are put into the document's strings and encoded anew, and a string that is just
    one field becomes the field's value: a number where it is one. Elsewhere they stand as they
    are.
    """
    try:
        document = _parse(template)
    except ValueError:
        return _filled(template, fields, str)
    return json.dumps(_filled_within(document, fields))


def _parse(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _filled_within(value: Any, fields: Fields) -> Any:
    match value:
        case str():
            only = _FIELD.fullmatch(value)
            return fields.get(only[1]) if only else _filled(value, fields, str)
        case list():
            return [_filled_within(each, fields) for each in value]
        case dict():
            return {
                _filled(key, fields, str): _filled_within(each, fields)
                for key, each in value.items()
            }
        case _:
            return value


def _filled(template: str, fields: Fields, encode: Callable[[str], str]) -> str:
    return _FIELD.sub(lambda found: encode(_text(fields.get(found[1]))), template)


def _text(value: Value) -> str:
    return "" if value is None else str(value)
