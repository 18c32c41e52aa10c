"""What the settings' models say about the values: which are sections, lists or secrets."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from zimun_sync.config.environment import from_json
from zimun_sync.config.tree import Place


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping whose names a model defines.

    Args:
        place: where it stands in the configuration.
        model: the model.
        values: the mapping itself; not a copy.
    """

    place: Place
    model: type[BaseModel]
    values: dict[str, Any]


def names(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The settings of a section by the name that a file uses."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def sections(kind: Any, values: Any, place: Place = ()) -> Iterator[Section]:
    """Every section in `values`, each before those inside it; completed in place.

    Args:
        kind: the annotation that `values` is meant for.
        values: what the configuration says.
        place: where it says so.
    """
    model = model_of(kind)
    if model is not None and isinstance(values, dict):
        yield Section(place, model, values)
        inner = {key: field.annotation for key, field in names(model).items() if key in values}
    elif isinstance(values, dict):
        inner = dict.fromkeys(values, _item_of(kind))
    else:
        return
    for key, annotation in inner.items():
        values[key] = _completed(annotation, values[key])
        yield from sections(annotation, values[key], (*place, key))


def _completed(kind: Any, value: Any) -> Any:
    """An empty section as a mapping, and JSON text as the list or mapping it spells."""
    if value is None and is_mapping(kind):
        return {}
    if isinstance(value, str) and is_compound(kind) and not is_text(kind):
        return from_json(value)
    return value


def model_of(kind: Any) -> type[BaseModel] | None:
    """The model of a section, None for anything else."""
    found = [choice for choice in _choices(kind) if _is_class(choice, BaseModel)]
    return found[0] if len(found) == 1 else None


def is_mapping(kind: Any) -> bool:
    """Whether a value has to be a section or another mapping; one that may be null has not."""
    choices = list(_choices(kind))
    return len(choices) == 1 and (
        _is_class(choices[0], BaseModel) or get_origin(choices[0]) is dict
    )


def is_text(kind: Any) -> bool:
    """Whether a value may be plain text, so that text must not be read as JSON."""
    return any(_is_class(choice, (str, SecretStr, SecretBytes)) for choice in _choices(kind))


def is_compound(kind: Any) -> bool:
    """Whether a value is a list, a mapping or a section."""
    compound = (BaseModel, list, tuple, set, frozenset, dict)
    return any(_is_class(get_origin(choice) or choice, compound) for choice in _choices(kind))


def is_secret(kind: Any) -> bool:
    """Whether a value must never be shown."""
    inside = (is_secret(argument) for argument in get_args(kind))
    return _is_class(kind, (SecretStr, SecretBytes)) or any(inside)


def _item_of(kind: Any) -> Any:
    for choice in _choices(kind):
        if get_origin(choice) is dict:
            return get_args(choice)[1]
    return None


def _choices(kind: Any) -> Iterator[Any]:
    """The alternatives of a union, bare of `Annotated` and None included."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, types.UnionType):
        for argument in get_args(kind):
            yield from _choices(argument)
    else:
        yield kind


def _is_class(kind: Any, classes: type | tuple[type, ...]) -> bool:
    return isinstance(kind, type) and issubclass(kind, classes)
