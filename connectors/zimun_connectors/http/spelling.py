"""Values from ours to the system's JSON and back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from jinja2 import Undefined

from zimun_connectors.http.sections import FieldType, HttpObjectSettings, SpellingSettings
from zimun_sync.errors import SinkBroken
from zimun_sync.remotes.expressions import ExpressionError, compile_expression, compile_template


class Omit:
    """What `omit` stands for in a template: the entry is left out."""

    def __str__(self) -> str:
        return ""


OMIT: Final = Omit()

#: From names to a structure with its templates filled in.
Filler = Callable[[Mapping[str, Any]], Any]


def compile_structure(value: Any, *, quoted: bool = False) -> Filler:
    """What fills in the templates of a YAML structure.

    Entries that come out as `omit` are left out.
    """
    match value:
        case str():
            return compile_template(value, quoted=quoted).render
        case Mapping():
            entries = {str(key): compile_structure(each) for key, each in value.items()}
            return lambda names: _without_omitted(
                {key: fill(names) for key, fill in entries.items()}
            )
        case list() | tuple():
            items = [compile_structure(each) for each in value]
            return lambda names: [each for fill in items if (each := fill(names)) is not OMIT]
        case _:
            return lambda _: value


def _without_omitted(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not OMIT}


class Spelling:
    """Spells values as the settings say."""

    def __init__(self, settings: SpellingSettings) -> None:
        self._instant = compile_structure(settings.instant.write)
        self._date = compile_structure(settings.date.write)
        self._decimal = None if settings.decimal is None else compile_structure(settings.decimal)
        self._empty = settings.empty
        self._read = {
            "instant": compile_expression(settings.instant.read, strict=False),
            "date": compile_expression(settings.date.read, strict=False),
        }

    def json(self, value: Any) -> Any:
        """A value as JSON can hold it, times and numbers spelled as the system wants them."""
        match value:
            case Mapping():
                return {
                    str(key): self.json(each) for key, each in value.items() if each is not OMIT
                }
            case list() | tuple():
                return [self.json(each) for each in value if each is not OMIT]
            case date() | Decimal() | Undefined():
                return self._spelled(value)
            case _:
                return value

    def _spelled(self, value: date | Decimal | Undefined) -> Any:
        match value:
            case datetime():
                return self._instant({"value": value})
            case date():
                return self._date({"value": value})
            case Decimal():
                return self._number(value)
            case _:
                return None

    def _number(self, value: Decimal) -> Any:
        if self._decimal is not None:
            return self._decimal({"value": value})
        return int(value) if value == value.to_integral_value() else float(value)

    def emptied(self) -> Any:
        """What empties a field."""
        return self._empty.write

    def found(self, value: Any, kind: FieldType | None) -> Any:
        """A field as the system has it, as one of ours; None where it is empty."""
        if kind == "boolean":
            return value
        if value is None or isinstance(value, Undefined) or self._is_empty(value):
            return None
        if kind == "reference":
            return _reference(value)
        reads = self._read.get(kind or "")
        return reads.render({"value": value}) if reads else value

    def _is_empty(self, value: Any) -> bool:
        # 0 equals false in Python, but an amount of 0 is no empty field.
        return any(type(each) is type(value) and each == value for each in self._empty.read)


def _reference(value: Any) -> str | None:
    """An id, which some systems give with the name: `[7, "Mona"]`."""
    only = value[0] if isinstance(value, list) and value else value
    return None if only in ([], None) else str(only)


class Fields:
    """Fields of objects of one kind, written and read.

    Args:
        section: the settings of the kind.
        spelling: of values.
        constants: of the settings.
    """

    def __init__(
        self, section: HttpObjectSettings, spelling: Spelling, constants: Mapping[str, Any]
    ) -> None:
        self._constants = constants
        self._types = section.types
        self._spelling = spelling
        self._present = {
            field: compile_expression(text, strict=False) for field, text in section.present.items()
        }

    def written(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """An item's fields as JSON can hold them."""
        return {name: self._written(value, self._types.get(name)) for name, value in fields.items()}

    def _written(self, value: Any, kind: FieldType | None) -> Any:
        if value is None:
            return self._spelling.emptied()
        if kind == "reference" and str(value).isdecimal():
            return int(value)  # systems with numbers for ids do not take text
        return self._spelling.json(value)

    def read(self, result: Any, fields: Sequence[str]) -> dict[str, Any]:
        """The fields asked for, by name, out of a result.

        Raises:
            SinkBroken: a value is not spelled as the settings say.
        """
        return {field: self._read(result, field) for field in fields}

    def _read(self, result: Any, field: str) -> Any:
        try:
            return self._spelling.found(self._value(result, field), self._types.get(field))
        except ExpressionError as error:
            raise SinkBroken(
                f"Field {field} cannot be read: {error}.",
                hint="Correct `types`, `present` or `spelling` in the sink's section.",
            ) from None

    def _value(self, result: Any, field: str) -> Any:
        if field in self._present:
            names = {"result": result, "constants": self._constants}
            return self._present[field].render(names)
        value = result
        for step in field.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        return value
