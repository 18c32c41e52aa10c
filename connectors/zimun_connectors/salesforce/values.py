"""Values as Salesforce spells them, in JSON and in CSV."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

#: What a CSV cell says to empty a field; an empty cell leaves the field alone.
EMPTIES: Final = "#N/A"

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:[+-]\d{4}|Z)")


def to_json(value: Any) -> Any:
    """A value of ours for a JSON body; aware instants in UTC, to the millisecond."""
    match value:
        case datetime() if value.tzinfo is not None:
            utc = value.astimezone(UTC).replace(tzinfo=None)
            return utc.isoformat(timespec="milliseconds") + "Z"
        case date():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case _:
            return value


def to_cell(value: Any) -> str:
    """A value of a JSON body as a CSV cell."""
    if value is None or value == "":
        return EMPTIES
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def from_json(value: Any) -> Any:
    """A value of an answer: instants as aware datetimes, everything else as it came."""
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        return datetime.fromisoformat(value)
    return value


def field_values(record: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """A record's values by the names asked for, which Salesforce spells in its own case."""
    present = {name.lower(): value for name, value in record.items()}
    return {name: from_json(present.get(name.lower())) for name in names}
