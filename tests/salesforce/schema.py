"""The object types of the fake organization, and what each field takes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

CONTACT, EVENT, USER = "Contact", "Event", "User"


class BadValue(ValueError):
    """A value that the field's type cannot be read from; the whole call is refused."""


@dataclass(frozen=True, slots=True)
class Column:
    """A field.

    Args:
        type: `string`, `datetime`, `int`, `boolean` or `reference`.
        required: whether a record needs it.
        unique: whether it is a unique external id.
        writable: whether the user may write it.
        default: its value in a new record.
        length: of a text.
    """

    type: str = "string"
    required: bool = False
    unique: bool = False
    writable: bool = True
    default: Any = None
    length: int = 255

    def describe(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "type": self.type,
            "createable": self.writable,
            "updateable": self.writable,
            "externalId": self.unique,
            "unique": self.unique,
            "nillable": not self.required,
        }

    def read(self, name: str, value: Any) -> Any:
        """A value that was sent, as it is kept."""
        if value is None or value == "":
            return None
        kinds = {"int": int, "boolean": bool}
        if self.type == "datetime":
            return _instant(name, value)
        if not isinstance(value, kinds.get(self.type, str)):
            kind = {"string": "string", "int": "int"}.get(self.type, self.type)
            raise BadValue(f"Cannot deserialize instance of {kind} from {value!r} in {name}")
        return value.strip() if isinstance(value, str) else value


def _instant(name: str, value: Any) -> str:
    """Only an instant with an offset is one."""
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise BadValue(f"Cannot deserialize instance of datetime from {value!r} in {name}")
    return parsed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + ".000+0000"


_KEY: Final = Column(unique=True)
_TEXT: Final = Column()

OBJECTS: Final[dict[str, dict[str, Column]]] = {
    CONTACT: {
        "Id": Column("id", writable=False),
        "FirstName": _TEXT,
        "LastName": Column(required=True),
        "Email": _TEXT,
        "Phone": _TEXT,
        "MobilePhone": _TEXT,
        "LeadSource": _TEXT,
        "Title": _TEXT,
        "MasterRecordId": Column("reference", writable=False),
        "IsDeleted": Column("boolean", writable=False, default=False),
        "Zimun_Key__c": _KEY,
    },
    EVENT: {
        "Id": Column("id", writable=False),
        "Subject": _TEXT,
        "StartDateTime": Column("datetime"),
        "EndDateTime": Column("datetime"),
        "DurationInMinutes": Column("int"),
        "Description": Column(length=32_000),
        "Location": _TEXT,
        "ShowAs": _TEXT,
        "IsReminderSet": Column("boolean", default=False),
        "OwnerId": Column("reference"),
        "WhoId": Column("reference"),
        "WhatId": Column("reference"),
        "IsDeleted": Column("boolean", writable=False, default=False),
        "Zimun_Key__c": _KEY,
        "Zimun_Status__c": _TEXT,
    },
    USER: {
        "Id": Column("id", writable=False),
        "Email": _TEXT,
        "IsActive": Column("boolean", default=True),
        "UserType": Column(default="Standard"),
    },
}
