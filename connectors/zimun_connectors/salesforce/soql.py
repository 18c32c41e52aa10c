"""SOQL: values as literals, and queries short enough for an address."""

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

#: Characters of the conditions of one query. Address and headers may have 16,384 together, and
#: an access token alone can take some thousand.
_BUDGET: Final = 9_000

_ESCAPES: Final = str.maketrans(
    {
        "\\": r"\\",
        "'": r"\'",
        "\n": r"\n",
        "\r": r"\r",
        "\t": r"\t",
        "\b": r"\b",
        "\f": r"\f",
    }
)


def literal(text: str) -> str:
    """A text as a SOQL literal, quotes included."""
    return f"'{text.translate(_ESCAPES)}'"


def any_of(field: str, values: Iterable[str]) -> Iterator[str]:
    """Conditions that a field has one of the values; as many as needed."""
    for some in _portions((literal(value) for value in values), joint=","):
        yield f"{field} IN ({','.join(some)})"


def either(conditions: Iterable[str]) -> Iterator[str]:
    """Conditions that one of the given ones is met; as many as needed."""
    for some in _portions(conditions, joint=" OR "):
        yield f"({' OR '.join(some)})"


def select(fields: Iterable[str], table: str, condition: str) -> str:
    """A query for fields of a table's records; the id is always among them."""
    columns = dict.fromkeys(["Id", *fields])
    return f"SELECT {','.join(columns)} FROM {table} WHERE {condition}"  # noqa: S608 - SOQL


def _portions(parts: Iterable[str], joint: str) -> Iterator[list[str]]:
    portion: list[str] = []
    length = 0
    for part in parts:
        more = len(quote(part + joint, safe=""))
        if portion and length + more > _BUDGET:
            yield portion
            portion, length = [], 0
        portion.append(part)
        length += more
    if portion:
        yield portion
