"""What is written of a contact or an appointment: each field, its value, and when."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter

from zimun_sync.remotes.expressions import compile_template
from zimun_sync.remotes.names import value_of
from zimun_sync.remotes.settings import FieldSettings, MappedField, ObjectSettings

_FIELD: Final = TypeAdapter[FieldSettings](MappedField)
_ANY_OTHER: Final = "*"

Names = Mapping[str, Any]


class Write(StrEnum):
    """When a field is written."""

    ONCE = "once"  #: on create, and where what was found has it empty
    UNLESS_EDITED = "unless_edited"  #: also when ours changes, unless somebody edited it there
    ALWAYS = "always"  #: whenever ours changes


class Mode(StrEnum):
    """What may happen to objects of a kind."""

    UPSERT = "upsert"
    CREATE_ONLY = "create_only"
    UPDATE_ONLY = "update_only"


@dataclass(frozen=True, slots=True)
class Defaults:
    """A connector's own mapping, in the words of the configuration.

    Args:
        contact: what fills the contact's fields, by the remote's field name; as in YAML.
        appointment: what fills the appointment's.
        owner_field: the appointment's field that takes the owner's id; None without owners.
        email_field: the contact's field of the e-mail address.
        phone_field: the contact's field of the phone number.
    """

    contact: Mapping[str, Any]
    appointment: Mapping[str, Any]
    owner_field: str | None = None
    email_field: str = "email"
    phone_field: str = "phone"


@dataclass(frozen=True, slots=True)
class Rule:
    """One field.

    Args:
        field: the remote's name of it.
        write: when it is written.
        clears: whether an empty value of ours empties it there.
        value: of an appointment's names.
    """

    field: str
    write: Write
    clears: bool
    value: Callable[[Names], Any]


@dataclass(frozen=True, slots=True)
class Mapped:
    """How objects of one kind are written."""

    mode: Mode
    rules: tuple[Rule, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The remote's names of all fields."""
        return tuple(rule.field for rule in self.rules)

    def values(self, names: Names) -> dict[str, Any]:
        """What an object's fields should hold; None only for those to be emptied."""
        values = {rule.field: rule.value(names) for rule in self.rules}
        return {
            rule.field: values[rule.field]
            for rule in self.rules
            if values[rule.field] is not None or rule.clears
        }


def mapped(
    settings: ObjectSettings, defaults: Mapping[str, Any], write: Write, owner: Sequence[Rule] = ()
) -> Mapped:
    """The mapping of a kind: the connector's fields with the configuration's in their place.

    Args:
        settings: the kind's section.
        defaults: the connector's fields.
        write: when a field is written that does not say.
        owner: further rules, unless the configuration has these fields.
    """
    fields: dict[str, FieldSettings | None] = {
        field: _FIELD.validate_python(spec) for field, spec in defaults.items()
    }
    for field, spec in settings.fields.items():
        fields[field] = _completed(spec, fields.get(field))
    rules = [_rule(field, spec, write) for field, spec in fields.items() if spec is not None]
    rules += [rule for rule in owner if rule.field not in settings.fields]
    return Mapped(Mode(settings.write), tuple(rules))


def _completed(spec: FieldSettings | None, default: FieldSettings | None) -> FieldSettings | None:
    """A field that does not say when it is written keeps the connector's word for it."""
    if spec is None or default is None or spec.write is not None:
        return spec
    return spec.model_copy(update={"write": default.write})


def owner_rule(field: str, *, overwrite: bool) -> Rule:
    """The rule for the field that names the owner."""
    write = Write.ALWAYS if overwrite else Write.UNLESS_EDITED
    return Rule(field, write, clears=False, value=lambda names: names["owner"])


def _rule(field: str, spec: FieldSettings, default: Write) -> Rule:
    return Rule(field, Write(spec.write or default), spec.null == "clear", _value(spec))


def _value(spec: FieldSettings) -> Callable[[Names], Any]:
    if spec.template is not None:
        template = compile_template(spec.template)
        return lambda names: _or_none(template.render(names))
    if spec.from_ is not None:
        name, words = spec.from_, spec.values
        return lambda names: _translated(value_of(name, names), words)
    return lambda _: spec.value


def _translated(value: Any, words: Mapping[str, Any]) -> Any:
    if not words:
        return _or_none(value)
    return words.get(str(value), words.get(_ANY_OTHER))


def _or_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value
