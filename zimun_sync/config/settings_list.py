"""Every setting with its default and meaning, from the models themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from zimun_sync import __version__
from zimun_sync.config.sections import model_of, names

_WORDS: Final = {
    "boolean": "`true`, `false`",
    "integer": "whole number",
    "number": "number",
    "object": "mapping",
    "password": "secret",
    "path": "path",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a section.

    Args:
        name: as a file spells it.
        meaning: its description.
        values: what it may be, in words.
        default: its default as plain JSON; None where there is none.
        example: a value to show, or None.
        required: whether it must be given.
        section: the model of the section that it is, or None for a plain setting.
    """

    name: str
    meaning: str
    values: str
    default: Any
    example: Any
    required: bool
    section: type[BaseModel] | None


def settings_of(model: type[BaseModel]) -> Iterator[Setting]:
    """The settings of a section in their order; a sink's `type` is left out."""
    properties = model.model_json_schema(by_alias=True)["properties"]
    for name, field in names(model).items():
        if name == "type":
            continue
        described = properties[name]
        yield Setting(
            name=name,
            meaning=field.description or "",
            values=_values(described),
            default=_lasting(described.get("default")),
            example=field.examples[0] if field.examples else None,
            required=field.is_required(),
            section=model_of(field.annotation),
        )


def _lasting(default: Any) -> Any:
    """The default without this release's number, so that a release changes no document."""
    return default.replace(__version__, "VERSION") if isinstance(default, str) else default


def _values(described: dict[str, Any]) -> str:
    choices = [choice for choice in described.get("anyOf", []) if choice.get("type") != "null"]
    if choices:
        return " or ".join(_values(choice) for choice in choices)
    if "enum" in described:
        return ", ".join(f"`{_visible(value)}`" for value in described["enum"])
    if described.get("type") == "array":
        return f"list of {_values(described['items'])}"
    kind = described.get("format") or described.get("type", "")
    return _WORDS.get(kind, "text") + _bounds(described)


def _visible(value: Any) -> str:
    return str(value).replace("\t", "\\t")


def _bounds(described: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": "> ", "minimum": "≥ ", "exclusiveMaximum": "< ", "maximum": "≤ "}
    given = [f"{sign}{described[word]}" for word, sign in signs.items() if word in described]
    return f" {', '.join(given)}" if given else ""
