"""What is wrong with a setting, in words for the person who wrote it."""

import difflib
import re
from collections.abc import Sequence
from typing import Any, Final

from zimun_sync.config.environment import PREFIX, spelling
from zimun_sync.config.tree import Place

#: A shorter secret cannot be told from a word of a message.
SHORTEST_SECRET: Final = 6
_LONGEST_VALUE: Final = 60
_MOST_NAMES: Final = 12

_WORDS: Final = {
    "assertion_error": "{error}",
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "decimal_parsing": "should be a number",
    "decimal_type": "should be a number",
    "dict_type": "should be a section of `name: value` lines",
    "enum": "should be {expected}",
    "finite_number": "should be a finite number",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "greater_than": "should be greater than {gt}",
    "greater_than_equal": "should be at least {ge}",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_parsing_size": "should be a smaller whole number",
    "int_type": "should be a whole number",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be at most {le}",
    "list_type": "should be a list, such as [a, b]",
    "literal_error": "should be {expected}",
    "model_type": "should be a section of `name: value` lines",
    "path_type": "should be a path",
    "set_type": "should be a list, such as [a, b]",
    "string_pattern_mismatch": "should look like the pattern {pattern}",
    "string_too_long": "should have at most {max_length} characters",
    "string_too_short": "should have at least {min_length} characters",
    "string_type": "should be text; put it in quotes",
    "too_long": "should have at most {max_length} entries",
    "too_short": "should have at least {min_length} entries",
    "tuple_type": "should be a list, such as [a, b]",
    "value_error": "{error}",
}
_CREDENTIALS = re.compile(r"(://)[^\s?#]*@")
_QUERY = re.compile(r"(://[^?\s]*\?).*")


def say(items: Sequence[Any], place: Place, shown: str, known: Sequence[str]) -> str:
    """What is wrong with one setting.

    Args:
        items: pydantic's account of it, one for each kind of value it might have been.
        place: the setting.
        shown: its value as it may be shown; empty if it may not.
        known: the settings of the section it stands in.
    """
    item = items[0]
    match item["type"]:
        case "missing":
            return f"is required; add it, or set {PREFIX}{spelling(place)}"
        case "extra_forbidden":
            return unknown(str(place[-1]), known)
        case _ if item["loc"][-1:] == ("[key]",):
            return "a name has lower-case letters, digits, '-' and '_', and starts with a letter"
        case _ if item["input"] is None:
            return "has no value; give it one or leave it out"
        case "unknown_name":
            return str(item["msg"])
        case _:
            said = " or ".join(dict.fromkeys(_said(item) for item in items))
            return f"{said} (it is {shown})" if shown else said


def _said(item: Any) -> str:
    kind = item["type"]
    return _WORDS[kind].format(**_context(item)) if kind in _WORDS else _other(item)


def _context(item: Any) -> dict[str, Any]:
    """What pydantic adds to an error, with limits as a person writes them: 5, not 5.0."""
    return {
        key: f"{value:g}" if isinstance(value, float) else value
        for key, value in item.get("ctx", {}).items()
    }


def _other(item: Any) -> str:
    """A kind of error that only a connector's own model can have."""
    text: str = item["msg"]
    return text.removeprefix("Input ").removeprefix("Value ")


def unknown(wrong: str, known: Sequence[str]) -> str:
    """What to say of a name that is none of the `known` ones."""
    near = difflib.get_close_matches(wrong, known, n=1)
    if near:
        return f"unknown setting (did you mean {near[0]}?)"
    if known and len(known) <= _MOST_NAMES:
        return f"unknown setting (there are {', '.join(known)})"
    return "unknown setting; correct or delete it"


def literal(value: Any) -> str:
    """A value as a file would have it, without credentials in addresses, cut to a line."""
    if isinstance(value, bool):
        return str(value).lower()
    text = _QUERY.sub(r"\1***", mask_address(repr(value)))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def has_password(value: Any) -> bool:
    """Whether a text is an address with a user name and a password in it."""
    return isinstance(value, str) and re.search(r"://[^/?#\s]*:[^\s?#]*@", value) is not None


def mask_address(text: str) -> str:
    """The text without the user name and password of an address in it."""
    return _CREDENTIALS.sub(r"\1***@", text)


def name(place: Place) -> str:
    """A setting's full name, such as `sources.main.scopes[0]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return "".join(steps).removeprefix(".")
