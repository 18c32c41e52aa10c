"""Ready settings for known systems, as YAML beside this module."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, get_args

import yaml

RecipeName = Literal["gnuhealth", "odoo", "square"]
RECIPES: Final[tuple[RecipeName, ...]] = get_args(RecipeName)

#: Sections whose `fields` are the mapping; the engine lays the user's own on top of it.
_MAPPED: Final = ("contact", "appointment")


@cache
def recipe(name: str) -> Mapping[str, Any]:
    """A recipe as its file has it."""
    text = files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded


def recipe_fields(name: str | None, kind: str) -> Mapping[str, Any]:
    """A recipe's own mapping of a kind, `contact` or `appointment`; empty without a recipe."""
    section = recipe(name)[kind] if name else {}
    fields: Mapping[str, Any] = section.get("fields", {})
    return fields


def with_recipe(values: Any) -> Any:
    """Settings on top of those of the recipe that they name; the mapping is left out."""
    name = values.get("recipe") if isinstance(values, Mapping) else None
    if name not in RECIPES:
        return values
    beneath = {
        key: _without_fields(value) if key in _MAPPED else value
        for key, value in recipe(name).items()
    }
    return _merged(beneath, values)


def _without_fields(section: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in section.items() if key != "fields"}


def _merged(beneath: Any, above: Any) -> Any:
    if isinstance(beneath, Mapping) and isinstance(above, Mapping):
        both = {key: _merged(beneath.get(key), value) for key, value in above.items()}
        return {**beneath, **both}
    return above
