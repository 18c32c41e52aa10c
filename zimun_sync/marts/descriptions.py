"""What the model's relations and columns mean, as `models/schema.yml` says it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parent

#: The one in C reads the file in a tenth of the time; not every build of the library has it.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Meaning:
    """One column.

    Args:
        name: the column's name.
        type: its type, in SQL's words, such as `text` or `timestamptz`.
        comment: its meaning, with unit and time zone.
    """

    name: str
    type: str
    comment: str


@dataclass(frozen=True, slots=True)
class Relation:
    """One view.

    Args:
        name: its name in every database.
        comment: what a row of it is.
        columns: in their order.
    """

    name: str
    comment: str
    columns: tuple[Meaning, ...]


@cache
def views() -> dict[str, Relation]:
    """Every view of the model by name."""
    return {entry["name"]: _relation(entry) for entry in _document()["models"]}


@cache
def _document() -> dict[str, Any]:
    text = (FOLDER / "models" / "schema.yml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, _LOADER)  # noqa: S506 - either of them is safe
    return document


def _relation(entry: dict[str, Any]) -> Relation:
    columns = (
        Meaning(column["name"], column["data_type"], _line(column["description"]))
        for column in entry["columns"]
    )
    return Relation(entry["name"], _line(entry["description"]), tuple(columns))


def _line(text: str) -> str:
    return " ".join(text.split())
