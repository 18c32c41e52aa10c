"""`${VAR}` and `${VAR:-default}` in the values of a file; `$$` is a dollar."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_REFERENCE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<odd>\{))"
)


@dataclass(frozen=True, slots=True)
class Expanded:
    """A text with its references resolved.

    Args:
        text: the result.
        problems: what could not be resolved, and what to do about it.
        borrowed: whether anything came from the environment.
    """

    text: str
    problems: tuple[str, ...]
    borrowed: bool


def expand(text: str, environ: Mapping[str, str]) -> Expanded:
    """Resolve every reference in `text`; a variable that is set but empty takes the default."""
    problems: list[str] = []
    borrowed = False

    def replacement(match: re.Match[str]) -> str:
        nonlocal borrowed
        if match["dollar"]:
            return "$"
        if match["odd"]:
            problems.append(
                "a '${' that no '}' with a variable's name closes; write '$$' for a '$'"
            )
            return ""
        borrowed = True
        return _value(match["name"], match["default"], environ, problems)

    return Expanded(_REFERENCE.sub(replacement, text), tuple(problems), borrowed)


def escape(text: str) -> str:
    """The text as a file has to spell it to mean itself."""
    return text.replace("$", "$$")


def _value(name: str, default: str | None, environ: Mapping[str, str], problems: list[str]) -> str:
    value = environ.get(name)
    if default is not None:
        return value or default
    if value is None:
        problems.append(
            f"the environment variable {name} is not set; set it, or give a default: ${{{name}:-…}}"
        )
    return value or ""
