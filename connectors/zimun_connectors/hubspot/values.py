"""How HubSpot spells values: every property value is text."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def spelled(value: Any) -> str:
    """A value as HubSpot takes it: empty text clears, instants are UTC with milliseconds."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime() if value.tzinfo is not None:
            text = value.astimezone(UTC).isoformat(timespec="milliseconds")
            return text.removesuffix("+00:00") + "Z"
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def read(properties: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """These properties of an answer: None where empty, aware datetimes where they are instants."""
    return {name: _read(properties.get(name)) for name in names}


def _read(text: Any) -> Any:
    if text is None or text == "":
        return None
    if isinstance(text, str) and _INSTANT.fullmatch(text):
        return datetime.fromisoformat(text)
    return text
